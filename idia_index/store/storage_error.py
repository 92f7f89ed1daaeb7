"""What storing rows lost, measured when a shard is written: precision, and recall."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from idia_index.errors import IdiaIndexError
from idia_index.plugins import IndexType, ScoredShard
from idia_index.store.manifest import PROBES, Probes
from idia_index.types import Float32


def stored_errors(index_type: IndexType, path: Path, rows: Float32) -> tuple[float, ...]:
    """For each template of float32 [T, n, D], the longest row of what storing it lost.

    Rounded up to four digits, so that it stays a bound.

    Raises:
        IdiaIndexError: a kind that is exact gives back other rows than it was given.
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
    return tuple(errors)


def probe(index_type: IndexType, path: Path, first_template: int, rows: Float32) -> Probes | None:
    """What an approximate shard answers to seeded random directions, beside the exact answer.

    The same directions are asked of every shard, so that `recall_at_1` can tell what the whole
    index answers. None for a kind whose scores are bounded: its answers can be proved.
    """
    shard = index_type.open_shard(path, rows.shape)
    if isinstance(shard, ScoredShard) or index_type.exact:
        return None
    exact, answered, hit = [], [], []
    for template, vectors in enumerate(rows):
        random = np.random.default_rng([17, first_template + template])
        queries = random.standard_normal((PROBES, vectors.shape[1]))
        queries = queries / np.linalg.norm(queries, axis=1, keepdims=True)
        scores = (queries @ vectors.T.astype(np.float64)).astype(np.float32)
        best = scores.argmax(axis=1)
        found, names = shard.search(queries.astype(np.float32), 1)
        exact += scores.max(axis=1).tolist()
        answered += np.maximum(found[template, :, 0], -1).tolist()
        hit += (names[template, :, 0] == best).tolist()
    return Probes(tuple(exact), tuple(answered), tuple(hit))
