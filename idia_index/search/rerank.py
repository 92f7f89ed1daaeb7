"""Compares the contenders that a scan leaves, exactly.

A single contender needs no comparison: its score alone certifies the answer.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from idia_index.plugins import ScoredShard, SearchedShard, Shard
from idia_index.search.scan import Contenders, Tile, find_contenders
from idia_index.types import Float32, Int64

RERANK_BLOCK = 1024  # rows compared at a time, to stay in the cache


def search_shard(shard: Shard, queries: Float32, k: int) -> tuple[Float32, Int64]:
    """One shard's exact answer, for either kind of shard; see `SearchedShard.search`."""
    if isinstance(shard, SearchedShard):
        return shard.search(queries, k)
    assert isinstance(shard, ScoredShard)
    t, n, _ = shard.shape
    tile = Tile(shard, n, 0, 0, np.zeros(t))
    kept = min(k, n)
    similarities = np.full((t, len(queries), k), -np.inf, np.float32)
    rows = np.full((t, len(queries), k), -1, np.int64)
    for template, found in enumerate(find_contenders([tile], queries, kept, range(t))):
        vectors = shard.text_embeddings(template, found.ids)
        similarities[template, :, :kept], rows[template, :, :kept] = rank(
            found, similarity(queries[found.queries], vectors), len(queries), kept
        )
    return similarities, rows


def similarity(queries: Float32, rows: Float32) -> Float32:
    """Cosine similarities float32 [c] of queries [c, D] with rows [c, D], pair by pair.

    Each pair is summed in float64, then rounded to float32, so equal rows get equal similarities.
    """
    out = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), RERANK_BLOCK):
        part = slice(start, start + RERANK_BLOCK)
        out[part] = (queries[part].astype(np.float64) * rows[part]).sum(axis=1)
    return out


def rank(found: Contenders, similarities: Float32, m: int, k: int) -> tuple[Float32, Int64]:
    """The k best of each image's contenders, given the similarity float32 [c] of each pair.

    Returns:
        similarities float32 [M, k], descending, and stored ids int64 [M, k]; equal similarities
        are in ascending order of id.
    """
    order = np.lexsort((found.ids, -similarities, found.queries))
    starts = np.searchsorted(found.queries, np.arange(m))
    best = order[starts[:, None] + np.arange(k)]
    return similarities[best], found.ids[best]


def merge_topk(found: Sequence[tuple[Float32, Int64]], k: int) -> tuple[Float32, Int64]:
    """The k best of several searches of different names.

    Args:
        found: per shard, in the order of their name ids, similarities float32 [T, M, k] and
            name ids int64 [T, M, k]; -inf and -1 where a shard has fewer than k names.
        k: how many to keep.

    Returns:
        similarities float32 [T, M, k], descending, and name ids int64 [T, M, k]; equal
        similarities are in ascending order of name id.
    """
    if len(found) == 1:
        return found[0]
    similarities = np.concatenate([part for part, _ in found], axis=2)
    ids = np.concatenate([part for _, part in found], axis=2)
    # A stable sort keeps ties in the order of shards, thus of ids.
    best = np.argsort(-similarities, axis=2, kind="stable")[:, :, :k]
    return np.take_along_axis(similarities, best, axis=2), np.take_along_axis(ids, best, axis=2)


def without_removed(
    shard: Shard, removed: Int64, queries: Float32, k: int
) -> tuple[Float32, Int64]:
    """A shard's own search for more than k names, so that k remain without removed rows."""
    similarities, rows = search_shard(shard, queries, k + len(removed))
    gone = np.isin(rows, removed)
    similarities[gone], rows[gone] = -np.inf, -1
    order = np.argsort(gone | (rows < 0), axis=2, kind="stable")[:, :, :k]
    return np.take_along_axis(similarities, order, axis=2), np.take_along_axis(rows, order, axis=2)
