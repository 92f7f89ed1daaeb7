"""Per-template search: the results of shards joined into those of the whole index."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from idia_index.records import Float32, Int64


def merge_topk(found: Sequence[tuple[Float32, Int64]], k: int) -> tuple[Float32, Int64]:
    """The k best of several searches of different names.

    Args:
        found: per shard, in the order of their name ids, similarities float32 [T, M, k] and
            name ids int64 [T, M, k]; -inf and -1 where a shard has fewer than k names.
        k: how many to keep.

    Returns:
        similarities float32 [T, M, k], falling, and name ids int64 [T, M, k]; equal
        similarities stand in the order of their name ids.
    """
    if len(found) == 1:
        return found[0]
    similarities = np.concatenate([part for part, _ in found], axis=2)
    ids = np.concatenate([part for _, part in found], axis=2)
    # A stable sort keeps equal ones in the order of the shards, which is that of the ids.
    best = np.argsort(-similarities, axis=2, kind="stable")[:, :, :k]
    return np.take_along_axis(similarities, best, axis=2), np.take_along_axis(ids, best, axis=2)
