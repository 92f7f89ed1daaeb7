"""What a browser works on: people under test with their photos, and the answers. Memory only."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

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


def _new_id() -> str:
    return secrets.token_urlsafe(9)


@dataclass(kw_only=True)
class Work:
    """What is being found out, about one person or several, or of a report.

    Attributes:
        choice: the index.
        id: what its address ends in.
        job: what is being done.
        answer: what was found.
    """

    choice: Choice
    id: str = field(default_factory=_new_id)
    job: Job | None = None
    answer: Answer | None = None

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
            raise InputError("this is being worked on: wait, or cancel it")

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
        """Where its pages are."""
        return f"/person/{self.id}/answer"

    @property
    def photo_count(self) -> int:
        """How many photos it holds."""
        return len(self.photos)

    @property
    def size(self) -> int:
        """Bytes of photos that it holds."""
        return sum(len(photo.image.data) for photo in self.photos)

    def subject(self) -> Subject:
        """The person, for an audit; raises InputError without a photo."""
        if not self.photos:
            raise InputError("there is no photo yet: choose at least one")
        images = tuple(photo.image for photo in self.photos)
        return Subject(self.name, images, crop=self.crop)

    @property
    def crop(self) -> Crop:
        """What is cut out of the photos; raises InputError where nothing finds faces for it."""
        return crop_by_hand(self.boxes) if self.boxes else read_crop(self.framing)

    def forget_photos(self) -> None:
        """Lets the photos go, and keeps the answer."""
        self.photos.clear()


@dataclass(kw_only=True)
class Group(Work):
    """Several people under test.

    Attributes:
        people: who they are, and who cannot be tested.
        path: where they were read from; None: they were sent.
        near: what the names may be misspelt from.
    """

    people: SubjectList
    path: Path | None
    near: Mapping[str, tuple[str, ...]]

    @property
    def title(self) -> str:
        """What pages call it."""
        return _("the folder that was sent") if self.path is None else str(self.path)

    @property
    def address(self) -> str:
        """Where its pages are."""
        return f"/people/{self.id}"

    @property
    def photo_count(self) -> int:
        """How many photos it holds or names."""
        return sum(len(person.images) for person in self.people)

    @property
    def size(self) -> int:
        """Bytes of photos that it holds; those on disk are read where they lie."""
        images = (image for person in self.people for image in person.images)
        return sum(map(_size, images))

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

    path: Path
    subjects: Path | None
    result: ReplayResult | None = None
    photo_count: int = 0
    size: int = 0

    @property
    def title(self) -> str:
        """What pages call it."""
        return str(self.path)

    @property
    def address(self) -> str:
        """Where its page is."""
        return f"/replay/{self.id}"

    @property
    def is_answered(self) -> bool:
        """Whether it is known what holds."""
        return self.result is not None


def _size(image: ImageFile) -> int:
    return len(image.data) if isinstance(image, ImageBytes) else 0


@dataclass
class Desk:
    """All that one browser works on, by id; and the language that was chosen for it."""

    choice: Choice = field(default_factory=Choice)
    cases: dict[str, Case] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    checks: dict[str, Check] = field(default_factory=dict)
    language: str | None = None

    @property
    def items(self) -> list[Case | Group | Check]:
        """Everything, each kind in the order in which it was begun."""
        return [*self.cases.values(), *self.groups.values(), *self.checks.values()]

    @property
    def size(self) -> int:
        """Bytes of photos that it holds."""
        return sum(each.size for each in self.items)

    def delete(self, key: str) -> None:
        """Forgets a person, several, or a report: photos, names and answers."""
        for found in (self.cases.pop(key, None), self.groups.pop(key, None),
                      self.checks.pop(key, None)):  # fmt: skip
            if found is not None:
                found.cancel()

    def delete_all(self) -> None:
        """Forgets everybody."""
        for each in self.items:
            self.delete(each.id)
