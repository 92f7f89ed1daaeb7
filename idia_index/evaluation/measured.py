"""What one search measured of every subject, as arrays: all that an evaluation is computed from.

Nothing here depends on tau, on the sizes or on the bins, so those can be swept without encoding or
searching again. Holds no embedding.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from idia_index.types import Float32, Int64

Float64 = NDArray[np.float64]

_PER_IMAGE = ("predictions", "top", "second", "rivals", "true", "pool_predictions")


@dataclass(frozen=True)
class Measured:
    """P subjects with M images in all, T templates; the images of a subject stand together.

    Attributes:
        offsets: int64 [P + 1]; subject p has images offsets[p] to offsets[p + 1].
        name_ids: int64 [P], id of each subject's name among the candidates.
        predictions: name ids int64 [T, M], the most similar candidate.
        top, second: float32 [T, M], cosine similarity of the prediction and of the next best
            name; -1 where there is no other.
        rivals: name ids int64 [T, M], the most similar candidate but the true name; -1 where the
            true name is the only candidate.
        true: float32 [T, M], cosine similarity of the true name.
        pool_sizes: int64 [L], sizes of smaller candidate pools, descending.
        pool_predictions: name ids int64 [L, T, M], predictions within those pools; an id past all
            candidates where the search did not reach far enough to know.
        pool_unknown: float64 [L], the share of those.
    """

    offsets: Int64
    name_ids: Int64
    predictions: Int64
    top: Float32
    second: Float32
    rivals: Int64
    true: Float32
    pool_sizes: Int64
    pool_predictions: Int64
    pool_unknown: Float64

    def __len__(self) -> int:
        """Number of subjects, P."""
        return len(self.name_ids)

    @property
    def templates(self) -> int:
        """Number of templates, T."""
        return len(self.predictions)

    @cached_property
    def images(self) -> Int64:
        """Images of each subject, int64 [P]."""
        return np.diff(self.offsets)

    @cached_property
    def owners(self) -> Int64:
        """The subject of each image, int64 [M]."""
        return np.repeat(np.arange(len(self)), self.images)

    def of(self, person: int) -> slice:
        """The images of one subject."""
        return slice(int(self.offsets[person]), int(self.offsets[person + 1]))

    def mean(self, values: Float32) -> Float64:
        """Mean of [T, M] over templates and the images of each subject, float64 [P]."""
        sums = np.add.reduceat(values.mean(axis=0, dtype=np.float64), self.offsets[:-1])
        out: Float64 = sums / self.images
        return out

    @cached_property
    def rival(self) -> Float32:
        """Cosine similarity of the best name but the true one, float32 [T, M]."""
        return np.where(self.predictions == self.name_ids[self.owners], self.second, self.top)

    @cached_property
    def margins(self) -> Float64:
        """Mean over templates and images of true minus best other similarity, float64 [P].

        The continuous score of the attack: positive where the true name is the closest.
        """
        return self.mean(self.true - self.rival)

    def take(self, people: Int64) -> Measured:
        """The same of some of the subjects, places int64 [p], in that order."""
        images = np.concatenate([np.arange(*self.of(int(p)).indices(1 << 62)) for p in people])
        columns = {
            field.name: np.ascontiguousarray(getattr(self, field.name)[..., images])
            for field in fields(self)
            if field.name in _PER_IMAGE
        }
        offsets = np.concatenate(([0], np.cumsum(self.images[people]))).astype(np.int64)
        return replace(self, offsets=offsets, name_ids=self.name_ids[people], **columns)
