"""What an evaluation is asked for, apart from the index and the subjects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from idia_index.errors import InputError
from idia_index.evaluation.protocol import PAPER_SIZES
from idia_index.subjects.subjects import Subject
from idia_index.support.text import counted

PAPER_IMAGES = 30
PAPER_DRAWS = 20
MAX_DRAWS = 10_000  # far past where another one tells anything


@dataclass(frozen=True)
class Settings:
    """Protocol `jair2024` by default.

    Attributes:
        tau: correct prompts from which a subject is inferred to be in the training data.
        sizes: numbers of attack images, rising.
        draws: draws of each size.
        seed: of draws, bootstrap, smaller pools and folds.
        min_images: people with fewer images are left out.
        max_training_count: people with more training images are left out; None: nobody is.
        bins: where bins of training counts start, rising; None: chosen from the data.
    """

    tau: int = 1
    sizes: tuple[int, ...] = PAPER_SIZES
    draws: int = PAPER_DRAWS
    seed: int = 0
    min_images: int = PAPER_IMAGES
    max_training_count: int | None = None
    bins: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        sizes = list(self.sizes)
        if not sizes or sizes != sorted(set(sizes)) or sizes[0] < 1:
            raise InputError(f"sample sizes {sizes}: give rising numbers from 1, such as 1,3,5")
        if sizes[-1] > self.min_images:
            raise InputError(
                f"sample size {sizes[-1]}: people need only {self.min_images} images; "
                "raise --min-images or leave out the larger --sample-sizes"
            )
        for what, value, least in (
            ("draws", self.draws, 1), ("seed", self.seed, 0), ("min-images", self.min_images, 1),
            ("max-training-count", self.max_training_count, 0),
        ):  # fmt: skip
            if value is not None and value < least:
                raise InputError(f"{what} {value}: give a whole number of {least} or more")
        if self.draws > MAX_DRAWS:
            raise InputError(f"draws {self.draws:,}: give at most {MAX_DRAWS:,}")

    def excludes(self, subject: Subject) -> str | None:
        """Why a person is left out, in words; None who is not."""
        if len(subject.images) < self.min_images:
            return f"{counted(len(subject.images), 'image')}, fewer than {self.min_images}"
        count, most = subject.training_count, self.max_training_count
        if count is not None and most is not None and count > most:
            return f"{counted(count, 'training image')}, more than {most:,}"
        return None

    def to_json(self) -> dict[str, Any]:
        """As reports state it."""
        return {
            "tau": self.tau,
            "sample_sizes": list(self.sizes),
            "draws": self.draws,
            "seed": self.seed,
            "min_images": self.min_images,
            "max_training_count": self.max_training_count,
            "bins": None if self.bins is None else list(self.bins),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Settings:
        """Reads `to_json`'s data; raises KeyError, TypeError or ValueError where it is not."""
        bins, most = data["bins"], data["max_training_count"]
        return cls(
            tau=int(data["tau"]),
            sizes=tuple(int(size) for size in data["sample_sizes"]),
            draws=int(data["draws"]),
            seed=int(data["seed"]),
            min_images=int(data["min_images"]),
            max_training_count=None if most is None else int(most),
            bins=None if bins is None else tuple(int(edge) for edge in bins),
        )
