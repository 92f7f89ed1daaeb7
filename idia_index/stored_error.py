"""What storing rows lost, measured when a shard is written."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from idia_index.errors import IdiaIndexError
from idia_index.protocols import IndexKind
from idia_index.records import Float32


def stored_errors(kind: IndexKind, path: Path, rows: Float32) -> tuple[float, ...]:
    """For each template of float32 [T, n, D], the longest row of what storing it lost.

    Rounded up to four digits, so that it stays a bound.

    Raises:
        IdiaIndexError: a kind that is exact gives back other rows than it was given.
    """
    shard = kind.open_shard(path, rows.shape)
    errors = []
    for template, wanted in enumerate(rows):
        stored = shard.text_embeddings(template, np.arange(len(wanted)))
        lost = (stored.astype(np.float64) - wanted) ** 2
        longest = math.sqrt(float(lost.sum(axis=1).max()))
        errors.append(float(f"{longest * 1.001:.3e}"))
    if kind.exact and any(errors):
        raise IdiaIndexError(f"{path}: the index kind {kind.name!r} does not give back its rows")
    return tuple(errors)
