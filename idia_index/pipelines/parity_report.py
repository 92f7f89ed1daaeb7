"""The document of a parity check: two backends of one model on the same inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from idia_index.subjects.subjects import Skipped, SkippedSubject
from idia_index.types import Float32


@dataclass(frozen=True)
class Compared:
    """A backend: its name, device and precision."""

    name: str
    device: str
    precision: str


@dataclass
class Closeness:
    """How close two backends' unit rows are, by component and by row."""

    compared: int = 0
    largest_difference: float = 0.0
    smallest_cosine: float = 1.0

    def add(self, a: Float32, b: Float32) -> None:
        """Adds rows float32 [..., D] of both."""
        if not a.size:
            return
        cosines = np.einsum("...d,...d->...", a, b, dtype=np.float64)
        self.compared += cosines.size
        self.largest_difference = max(self.largest_difference, float(np.abs(a - b).max()))
        self.smallest_cosine = min(self.smallest_cosine, float(cosines.min()))


@dataclass(frozen=True)
class Flip:
    """A subject with different decisions, and the correct prompts of both backends."""

    name: str
    correct_prompts: tuple[int, int]


@dataclass(frozen=True)
class Count:
    """A number of differences and the total."""

    compared: int
    differ: int


@dataclass(frozen=True)
class ParityReport:
    """The comparison of two backends on the same inputs, by stage.

    Attributes:
        format: name and version of the document's format.
        backends: the first and the second.
        tau: correct prompts needed.
        tokens: prompts whose tokens differ; None if a backend does not expose tokens.
        text_embeddings: how close the text embeddings are.
        image_embeddings: how close the image embeddings are.
        predictions: differences in T x M predictions.
        winners: differences in T winners per subject.
        decisions: differences in decisions.
        flips: the subjects whose decision differs.
        skipped: files that were left out, and why.
        skipped_people: subjects without an image that both backends read, and why.
    """

    format: Literal["idia-index/parity/1"]
    backends: tuple[Compared, Compared]
    tau: int
    tokens: Count | None
    text_embeddings: Closeness
    image_embeddings: Closeness
    predictions: Count
    winners: Count
    decisions: Count
    flips: tuple[Flip, ...]
    skipped: tuple[Skipped, ...]
    skipped_people: tuple[SkippedSubject, ...] = ()
