"""Predictions -> votes: the name that each template chooses for one person's images.

Protocol `jair2024` (Hintersdorf et al., "Does CLIP Know My Face?", JAIR 80, 2024): a template's
winner is the name predicted for the most images; if names share the highest count there is
no winner.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idia_index.types import Int64

TIE = -1


def count_votes(predictions: ArrayLike) -> tuple[Int64, Int64, NDArray[np.bool_]]:
    """Counts the votes for each template's most frequent name.

    Args:
        predictions: name ids int [T, M], 0 or more, of M >= 1 images under T templates.

    Returns:
        winners int64 [T], `TIE` (-1) where names share the highest count; counts int64 [T], the
        highest count; ties bool [T].

    Raises:
        ValueError: not an array of at least one image, or a negative id.
    """
    table = np.asarray(predictions)
    if table.ndim != 2 or table.shape[1] == 0 or not np.issubdtype(table.dtype, np.integer):
        raise ValueError(f"predictions must be integers [T, M] with M >= 1, not {table.shape}")
    if table.size and table.min() < 0:
        raise ValueError("predictions hold an id below 0: an image without a prediction")
    t, m = table.shape
    ordered = np.sort(table, axis=1).astype(np.int64)
    # A name's last image in the sorted row carries its count: its place minus its first's.
    is_first = np.ones((t, m), np.bool_)
    is_first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    places = np.arange(m)
    first = np.maximum.accumulate(np.where(is_first, places, 0), axis=1)
    running = places - first + 1
    counts = running.max(axis=1).astype(np.int64)
    at_top = running == counts[:, None]
    ties = at_top.sum(axis=1) > 1
    winners = ordered[np.arange(t), at_top.argmax(axis=1)]
    return np.where(ties, TIE, winners), counts, ties


def majority_vote(predictions: ArrayLike) -> Int64:
    """Winners int64 [T] of predictions int [T, M]; -1 where names share the highest count.

    Raises:
        ValueError: as `count_votes`.
    """
    return count_votes(predictions)[0]


def may_be_named(predictions: Int64, name_id: int) -> bool:
    """Whether what people read names a subject's rivals: where none was predicted more often.

    Else a name that is made up, given with the photo of a stranger, would be answered with the
    stranger's own.

    Args:
        predictions: name ids int64 [T, M] of the subject's images.
        name_id: the id of the name that was asked for.
    """
    ids, counts = np.unique(predictions, return_counts=True)
    return bool(counts.max(initial=0) == counts[ids == name_id].sum())
