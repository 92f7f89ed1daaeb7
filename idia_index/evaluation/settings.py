"""The settings of an audit and of an evaluation, apart from the index and the subjects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from idia_index.errors import InputError
from idia_index.evaluation.protocol import PAPER_SIZES
from idia_index.subjects.records import SkippedSubject, Subject
from idia_index.support.documents import named
from idia_index.support.text import counted

PAPER_IMAGES = 30
PAPER_DRAWS = 20
MAX_DRAWS = 10_000  # far more than are informative


@dataclass(frozen=True)
class LeftOut:
    """A person who is left out.

    Attributes:
        name: the person.
        reason: why, in words.
        setting: the setting that excludes the person; null for people who cannot be tested.
        limit: the value of that setting; null likewise.
        value: the person's number of images or training images; null likewise.
        person_id: distinguishes people of the same name; null if not given.
    """

    name: str
    reason: str
    setting: Literal["min_images", "max_training_count"] | None = None
    limit: int | None = None
    value: int | None = None
    person_id: str | None = None


def not_tested(person: SkippedSubject) -> LeftOut:
    """A person left out because they cannot be tested."""
    return LeftOut(person.name, person.reason)


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """The settings of a measurement.

    Attributes:
        tau: correct prompts needed to infer that a subject is in the training data.
        seed: seed for all random draws.
        min_images: people with fewer images are left out.
        max_training_count: people with more training images are left out; null: no limit.
    """

    tau: int = 1
    seed: int = 0
    min_images: int = 0
    max_training_count: int | None = None

    def __post_init__(self) -> None:
        for what, value, least in (
            ("seed", self.seed, 0), ("min-images", self.min_images, 0),
            ("max-training-count", self.max_training_count, 0),
        ):  # fmt: skip
            _check_integer(what, value, least)

    def excludes(self, subject: Subject) -> LeftOut | None:
        """Why a person is left out, or None."""
        images, count, most = len(subject.images), subject.training_count, self.max_training_count
        if images < self.min_images:
            reason = f"{counted(images, 'image')}, fewer than {self.min_images}"
            return LeftOut(
                subject.name, reason, "min_images", self.min_images, images, subject.person
            )
        if count is not None and most is not None and count > most:
            reason = f"{counted(count, 'training image')}, more than {most:,}"
            return LeftOut(subject.name, reason, "max_training_count", most, count, subject.person)
        return None


@dataclass(frozen=True, kw_only=True)
class Settings(Measurement):
    """The settings of an evaluation; protocol `jair2024` by default.

    Attributes:
        sizes: numbers of attack images, ascending.
        draws: random draws per number of images.
        bins: lower bounds of training-count bins, ascending; null: chosen from the data.
    """

    min_images: int = PAPER_IMAGES
    sizes: tuple[int, ...] = named("sample_sizes", PAPER_SIZES)
    draws: int = PAPER_DRAWS
    bins: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        sizes = list(self.sizes)
        if not sizes or sizes != sorted(set(sizes)) or sizes[0] < 1:
            raise InputError(f"sample sizes {sizes}: pass ascending numbers from 1, such as 1,3,5")
        if sizes[-1] > self.min_images:
            raise InputError(
                f"sample size {sizes[-1]}: people may have as few as {self.min_images} images; "
                "raise --min-images or omit the larger --sample-sizes"
            )
        _check_integer("draws", self.draws, 1)
        if self.draws > MAX_DRAWS:
            raise InputError(f"draws {self.draws:,}: pass at most {MAX_DRAWS:,}")


def _check_integer(what: str, value: int | None, least: int) -> None:
    if value is not None and value < least:
        raise InputError(f"{what} {value}: pass an integer of at least {least}")
