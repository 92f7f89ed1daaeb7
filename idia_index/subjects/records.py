"""Records of the people under test, their photos, and who and what was left out, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import SupportsIndex, overload

from idia_index.encode.image_bytes import ImageFile
from idia_index.photos.crops import Crop
from idia_index.prompts.names import name_key
from idia_index.support.text import counted

MEMBER, NON_MEMBER = "member", "non_member"


# The `name_key`, and what distinguishes people of the same name.
Identity = tuple[str, str | None]


@dataclass(frozen=True)
class Skipped:
    """A file that was left out, and why, in one line that names it."""

    path: ImageFile
    reason: str


@dataclass(frozen=True)
class Subject:
    """A person under test.

    Attributes:
        name: the name that the model may associate with the face.
        images: image files of the person, or their bytes, in a fixed order.
        membership: "member", "non_member", or None if unknown.
        training_count: number of training images of the person, None if unknown.
        skipped: files in the person's folder that are not photos.
        person: distinguishes people of the same name, None if not given.
        crop: how each image is cropped first, and what detects faces; None: no crop, and faces
            are detected if a detector is installed.
    """

    name: str
    images: tuple[ImageFile, ...]
    membership: str | None = None
    training_count: int | None = None
    skipped: tuple[Skipped, ...] = field(default=())
    person: str | None = None
    crop: Crop | None = None

    @property
    def identity(self) -> Identity:
        """What identifies the subject: the name as the model reads it, and `person`."""
        return name_key(self.name), self.person

    def __repr__(self) -> str:
        return f"<Subject {self.name!r}: {counted(len(self.images), 'image')}>"


@dataclass(frozen=True)
class SkippedSubject:
    """A person who could not be tested.

    Attributes:
        name: the name, or the location of the entry if it has none.
        reason: why, and what to do, in one line.
    """

    name: str
    reason: str


@dataclass(frozen=True)
class SubjectList(Sequence[Subject]):
    """The subjects read from a folder or a table.

    Attributes:
        subjects: who can be tested.
        skipped: who cannot, and why.
        notes: how the source was read, if that is not obvious; one line each.
    """

    subjects: tuple[Subject, ...]
    skipped: tuple[SkippedSubject, ...] = ()
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<SubjectList: {len(self.subjects):,} subjects, {len(self.skipped):,} skipped>"

    def __len__(self) -> int:
        return len(self.subjects)

    @overload
    def __getitem__(self, index: SupportsIndex) -> Subject: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Subject, ...]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Subject | tuple[Subject, ...]:
        return self.subjects[index]


def cropped(people: Iterable[Subject], crop: Crop) -> SubjectList:
    """The same people with cropped images."""
    kept = tuple(replace(subject, crop=crop) for subject in people)
    notes = people.notes if isinstance(people, SubjectList) else ()
    return SubjectList(kept, skipped_people(people), notes)


def skipped_people(subjects: Iterable[Subject]) -> tuple[SkippedSubject, ...]:
    """Who was left out when `subjects` were read; nobody if they were not read from a source."""
    return subjects.skipped if isinstance(subjects, SubjectList) else ()
