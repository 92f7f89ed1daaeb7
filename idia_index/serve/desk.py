"""What a browser works on: people under test with their photos, and the answers. Memory only."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from idia_index.encode.image_bytes import ImageBytes, ImageFile
from idia_index.errors import InputError
from idia_index.photos.crops import Crop, crop_by_hand, read_crop
from idia_index.photos.faces import Box
from idia_index.pipelines.replay import ReplayResult
from idia_index.report.documents import EvaluationResult
from idia_index.report.language import _
from idia_index.report.page import report_html
from idia_index.report.photos import PhotoInView
from idia_index.serve.jobs import Job
from idia_index.subjects.records import Subject, SubjectList


class SaidError(InputError):
    """What somebody did wrong on a page, in the language that is spoken."""


@dataclass(frozen=True)
class Choice:
    """An index that was chosen.

    Attributes:
        path: its folder; None: the practice model's.
        reference_faces: portraits that names are tried on; None: none.
    """

    path: Path | None = None
    reference_faces: Path | None = None

    @property
    def title(self) -> str:
        """What pages call it."""
        return _("the practice model") if self.path is None else str(self.path)


@dataclass(frozen=True)
class Photo:
    """A photo that can be judged.

    Attributes:
        image: its name and bytes.
        view: what the model sees of it, and what speaks against it.
        tile: the same as a picture, a data URI.
    """

    image: ImageBytes
    view: PhotoInView
    tile: str = field(repr=False)


# Figures are drawn with settings that all threads share.
_DRAWING = threading.Lock()


@dataclass(frozen=True)
class Answer:
    """What was found; `result` is the document."""

    result: EvaluationResult
    _pages: dict[str, str] = field(default_factory=dict, repr=False)

    def page(self, language: str) -> str:
        """The evidence as a page."""
        with _DRAWING:
            if language not in self._pages:
                self._pages[language] = report_html(self.result, language=language)
            return self._pages[language]


@dataclass(kw_only=True)
class Work:
    """What is being found out, about one person or several, or of a report.

    Attributes:
        kind: what the addresses of all of its kind begin with.
        choice: the index.
        id: what its own address ends in.
        job: what is being done.
        answer: what was found.
    """

    kind: ClassVar[str]
    choice: Choice
    id: str = field(default_factory=lambda: secrets.token_urlsafe(9))
    job: Job | None = None
    answer: Answer | None = None

    @property
    def home(self) -> str:
        """What the addresses of its pages begin with."""
        return f"/{self.kind}/{self.id}"

    @property
    def address(self) -> str:
        """Where its answer is."""
        return self.home

    @property
    def images(self) -> Sequence[ImageFile]:
        """The photos that it holds or names."""
        return ()

    @property
    def size(self) -> int:
        """Bytes of photos that it holds; those on disk are read where they lie."""
        return sum(len(each.data) for each in self.images if isinstance(each, ImageBytes))

    @property
    def is_busy(self) -> bool:
        """Whether something is being done, or waits to be."""
        return self.job is not None and not self.job.is_over

    @property
    def is_answered(self) -> bool:
        """Whether there is an answer."""
        return self.answer is not None

    def check_idle(self) -> None:
        """Raises InputError where something is being done."""
        if self.is_busy:
            raise SaidError(_("This is being worked on. Wait, or cancel it."))

    def found(self) -> Answer:
        """What was found; raises InputError before that."""
        if self.answer is None:
            raise InputError("there is no answer yet: ask the model first")
        return self.answer

    def cancel(self) -> None:
        """Stops what is being done."""
        if self.job is not None:
            self.job.cancel()


@dataclass(kw_only=True)
class Case(Work):
    """One person under test.

    Attributes:
        name: the name under test.
        basis: on what ground the person is tested, as whoever asks states it; one of `bases`.
        photos: what will be judged.
        skipped: why each other file will not.
        framing: what is cut out of every photo: "none", "face" or "centre".
        boxes: by a photo's name, what is cut out of it instead.
        near: what the name may be misspelt from.
    """

    kind = "person"
    name: str
    basis: str
    photos: list[Photo] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    framing: str = "none"
    boxes: dict[str, Box] = field(default_factory=dict)
    near: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What pages call it."""
        return self.name

    @property
    def address(self) -> str:
        """Where its answer is, or what is still to do."""
        return f"{self.home}/answer"

    @property
    def images(self) -> Sequence[ImageFile]:
        """The photos that it holds."""
        return [photo.image for photo in self.photos]

    def subject(self) -> Subject:
        """The person, for an audit; raises InputError without a photo."""
        if not self.photos:
            raise SaidError(_("There is no photo yet. Choose at least one."))
        return Subject(self.name, tuple(self.images), crop=self.crop)

    @property
    def crop(self) -> Crop:
        """What is cut out of the photos; raises InputError where nothing finds faces for it."""
        return crop_by_hand(self.boxes) if self.boxes else read_crop(self.framing)

    def forget_photos(self) -> None:
        """Lets the photos and the names of their files go, and keeps the answer."""
        self.photos.clear()
        self.skipped.clear()
        self.boxes.clear()


@dataclass(kw_only=True)
class Group(Work):
    """Several people under test.

    Attributes:
        people: who they are, and who cannot be tested.
        path: where they were read from; None: they were sent.
        near: what the names may be misspelt from.
    """

    kind = "people"
    people: SubjectList
    path: Path | None
    near: Mapping[str, tuple[str, ...]]

    @property
    def title(self) -> str:
        """What pages call it."""
        return _("the folder that was sent") if self.path is None else str(self.path)

    @property
    def images(self) -> Sequence[ImageFile]:
        """The photos that it holds or names."""
        return [image for person in self.people for image in person.images]

    def forget_photos(self) -> None:
        """Lets the people go, and keeps the answer."""
        self.people = SubjectList(())


@dataclass(kw_only=True)
class Check(Work):
    """A report that is made again.

    Attributes:
        path: the report, on this computer.
        subjects: where its photos lie now; None: where it says.
        result: what holds of it.
    """

    kind = "replay"
    path: Path
    subjects: Path | None
    result: ReplayResult | None = None

    @property
    def title(self) -> str:
        """What pages call it."""
        return str(self.path)

    @property
    def is_answered(self) -> bool:
        """Whether it is known what holds."""
        return self.result is not None


@dataclass
class Desk:
    """All that one browser works on; and the language that was chosen for it."""

    choice: Choice = field(default_factory=Choice)
    items: list[Case | Group | Check] = field(default_factory=list)
    language: str | None = None

    def item(self, key: str) -> Case | Group | Check | None:
        """What has an id."""
        return next((each for each in self.items if each.id == key), None)

    def delete(self, *gone: Case | Group | Check | None) -> None:
        """Forgets people or reports: photos, names and answers."""
        for each in gone:
            if each is not None:
                each.cancel()
                self.items.remove(each)
