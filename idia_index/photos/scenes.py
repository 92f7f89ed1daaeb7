"""Photos that are the same shot: by what they look like, and by their embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from idia_index.photos.look import Look
from idia_index.types import Float32

# Share of the steps upward in either photo in which two copies of a shot may differ, and cosines
# from which two photos are one (docs/photos.md has the measurements).
MOST_DIFFERENT = 0.2
FEWEST_STEPS = 36  # of 288
LEAST_COSINE = 0.985


def scenes(looks: Sequence[Look], embeddings: Float32 | None = None) -> list[int]:
    """For each photo of a person the first that shows the same scene, itself where none does.

    Args:
        looks: of each photo.
        embeddings: float32 [n, D], unit rows, None where there is no model.
    """
    if not looks:
        return []
    hashes = np.stack([each.hash for each in looks])
    differ = (hashes[:, None] ^ hashes[None]).sum(axis=2)
    # Of those in either, since a plain wall behind a face has none.
    either = (hashes[:, None] | hashes[None]).sum(axis=2)
    alike: NDArray[np.bool_] = differ <= MOST_DIFFERENT * either
    # A wall and a sky have no gradients to tell them apart by.
    plain = hashes.sum(axis=1) <= FEWEST_STEPS
    alike &= ~(plain[:, None] & plain[None])
    if embeddings is not None:
        alike |= embeddings @ embeddings.T >= LEAST_COSINE
    first = list(range(len(looks)))
    for number in range(len(looks)):
        for other in np.flatnonzero(alike[number, :number]).tolist():
            old, new = sorted((first[number], first[other]), reverse=True)
            first = [new if each == old else each for each in first]
    return first
