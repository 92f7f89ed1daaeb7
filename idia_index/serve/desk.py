"""What a browser works on: people under test with their photos, and the answers. Memory only."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path

from idia_index.encode.image_bytes import ImageBytes, ImageFile
from idia_index.errors import InputError
from idia_index.report.documents import AuditResult
from idia_index.serve.jobs import Job
from idia_index.subjects.records import Subject, SubjectList

ENOUGH, PROTOCOL = 15, 30  # photos: verdicts of fewer are shaky; what the paper takes


@dataclass(frozen=True)
class Choice:
    """An index that was chosen; None: the practice model's."""

    path: Path | None = None

    @property
    def title(self) -> str:
        """What pages call it."""
        return "the practice model" if self.path is None else str(self.path)


@dataclass(frozen=True)
class Photo:
    """A photo that can be judged.

    Attributes:
        image: its name and bytes.
        sha256: of the bytes.
        width, height: pixels, upright.
        small: a small JPEG of it, for pages.
    """

    image: ImageBytes
    sha256: str
    width: int
    height: int
    small: bytes = field(repr=False)


@dataclass(frozen=True)
class Answer:
    """What was found.

    Attributes:
        result: the document.
        page: the evidence as a page.
    """

    result: AuditResult
    page: str


def _new_id() -> str:
    return secrets.token_urlsafe(9)


@dataclass
class Case:
    """One person under test.

    Attributes:
        choice: the index.
        name: the name under test.
        basis: on what ground the person is tested, as whoever asks states it.
        photos: what will be judged.
        skipped: why each other file will not.
        job: what is being done.
        answer: what was found.
    """

    choice: Choice
    name: str
    basis: str
    id: str = field(default_factory=_new_id)
    photos: list[Photo] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    job: Job | None = None
    answer: Answer | None = None

    @property
    def size(self) -> int:
        """Bytes of photos that it holds."""
        return sum(len(photo.image.data) for photo in self.photos)

    def subject(self) -> Subject:
        """The person, for an audit; raises InputError without a photo."""
        if not self.photos:
            raise InputError("there is no photo yet: choose at least one")
        return Subject(self.name, tuple(photo.image for photo in self.photos))

    def forget_photos(self) -> None:
        """Lets the photos go, and keeps the answer."""
        self.photos.clear()


@dataclass
class Group:
    """Several people under test.

    Attributes:
        choice: the index.
        people: who they are, and who cannot be tested.
        source: where they come from, for people.
        job: what is being done.
        answer: what was found.
    """

    choice: Choice
    people: SubjectList
    source: str
    id: str = field(default_factory=_new_id)
    job: Job | None = None
    answer: Answer | None = None

    @property
    def size(self) -> int:
        """Bytes of photos that it holds; those on disk are read where they lie."""
        images = (image for person in self.people for image in person.images)
        return sum(map(_size, images))

    def forget_photos(self) -> None:
        """Lets the people go, and keeps the answer."""
        self.people = SubjectList(())


def _size(image: ImageFile) -> int:
    return len(image.data) if isinstance(image, ImageBytes) else 0


@dataclass
class Desk:
    """All that one browser works on, by id."""

    choice: Choice = field(default_factory=Choice)
    cases: dict[str, Case] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)

    @property
    def items(self) -> list[Case | Group]:
        """Everything, in the order in which it was begun."""
        return [*self.cases.values(), *self.groups.values()]

    @property
    def size(self) -> int:
        """Bytes of photos that it holds."""
        return sum(each.size for each in self.items)

    def delete(self, key: str) -> None:
        """Forgets a person or several: photos, names and answers."""
        for kept in (self.cases, self.groups):
            found = kept.pop(key, None)
            if found is not None and found.job is not None:
                found.job.cancel()

    def delete_all(self) -> None:
        """Forgets everybody."""
        for each in self.items:
            self.delete(each.id)
