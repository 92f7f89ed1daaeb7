"""Finds photos of the same shot, by their looks and their embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from idia_index.photos.look import Look
from idia_index.types import Float32

# The share of brightness increases in which two copies of a shot may differ, and the cosines from
# which two photos count as one (measured in docs/photos.md).
MOST_DIFFERENT = 0.2
FEWEST_STEPS = 36  # of 288
LEAST_COSINE = 0.985


def scenes(looks: Sequence[Look], embeddings: Float32 | None = None) -> list[int]:
    """For each photo of a person, the first one of the same scene (itself if none).

    Args:
        looks: of each photo.
        embeddings: float32 [n, D], unit rows; None without a model.
    """
    if not looks:
        return []
    hashes = np.stack([each.hash for each in looks])
    differ = (hashes[:, None] ^ hashes[None]).sum(axis=2)
    # Relative to the increases in either, since a plain wall behind a face has none.
    either = (hashes[:, None] | hashes[None]).sum(axis=2)
    alike: NDArray[np.bool_] = differ <= MOST_DIFFERENT * either
    # A wall and a sky have no gradients that distinguish them.
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
