"""What storing rows lost, measured when a shard is written."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from idia_index.errors import IdiaIndexError
from idia_index.plugins import IndexType, ScoredShard
from idia_index.types import Float32


def stored_errors(index_type: IndexType, path: Path, rows: Float32) -> tuple[float, ...]:
    """For each template of float32 [T, n, D], the longest row of what storing it lost.

    Rounded up to four digits, so that it stays a bound.

    Raises:
        IdiaIndexError: an exact index type returns other rows than it was given, or one that is
            not exact bounds no scores, so that its answers could not be proved.
    """
    shard = index_type.open_shard(path, rows.shape)
    errors = []
    for template, wanted in enumerate(rows):
        stored = shard.text_embeddings(template, np.arange(len(wanted)))
        lost = (stored.astype(np.float64) - wanted) ** 2
        longest = math.sqrt(float(lost.sum(axis=1).max()))
        errors.append(float(f"{longest * 1.001:.3e}"))
    if index_type.exact and any(errors):
        raise IdiaIndexError(f"{path}: index type {index_type.name!r} does not return its rows")
    if not index_type.exact and not isinstance(shard, ScoredShard):
        raise IdiaIndexError(
            f"{path}: index type {index_type.name!r} is not exact and bounds no scores; "
            "build with --index flat"
        )
    return tuple(errors)
