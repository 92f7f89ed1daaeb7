"""Computes exact top-k from a fast but inexact search, independent of summation order.

A float32 matrix product rounds differently with the number of queries, the position of a row and
the library's code path, so equal rows may get unequal similarities, and ties would be broken at
random. Here a fast search only proposes contenders; each is rescored in float64 from its stored
row, and contenders are fetched until no other row can reach the k-th place. This is for libraries
that return only their best k; if all scores are available, see `idia_index.search.rerank`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from idia_index.errors import DamagedIndexError
from idia_index.indexes.products import rounding_bound
from idia_index.types import Float32, Int64

LONGEST = 1 + 1e-3  # above any similarity of unit rows

# (queries [M, D], k) -> approximate similarities [M, k], descending, and rows [M, k]
Propose = Callable[[Float32, int], tuple[Float32, Int64]]


def similarity(queries: Float32, rows: Float32) -> Float32:
    """Cosine similarities float32 [M, k] of queries [M, D] with their rows [M, k, D].

    Summed in float64, then rounded to float32, so equal rows get equal similarities.
    """
    sums = np.einsum("md,mkd->mk", queries, rows, dtype=np.float64)
    found: Float32 = sums.astype(np.float32)
    return found


def exact_topk(
    queries: Float32, vectors: Float32, k: int, propose: Propose
) -> tuple[Float32, Int64]:
    """The k rows of `vectors` most similar to each query; ties to the lowest row.

    Args:
        queries: float32 [M, D], unit rows.
        vectors: float32 [n, D], unit rows, the rows that `propose` searches.
        k: 1 to n.
        propose: the fast search.

    Returns:
        similarities float32 [M, k], descending, and rows int64 [M, k].
    """
    m, (n, dim) = len(queries), vectors.shape
    similarities = np.empty((m, k), np.float32)
    found = np.empty((m, k), np.int64)
    slack = 2 * rounding_bound(dim)
    open_queries = np.arange(m)
    fetch = min(k + 1, n)
    while len(open_queries):
        asked = queries[open_queries]
        approximate, rows = propose(asked, fetch)
        rows = np.sort(rows, axis=1)  # lowest row first, so that a stable sort keeps it first
        scores = similarity(asked, vectors[rows])
        if not (scores <= LONGEST).all():
            raise DamagedIndexError(
                "a stored row does not have unit length; find the damage with: idia-index verify"
            )
        best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        similarities[open_queries] = np.take_along_axis(scores, best, axis=1)
        found[open_queries] = np.take_along_axis(rows, best, axis=1)
        if fetch == n:
            break
        # No unfetched row exceeds the last fetched one's approximate similarity.
        unsure = approximate[:, -1] + slack >= similarities[open_queries, -1]
        open_queries = open_queries[unsure]
        fetch = min(4 * fetch, n)
    return similarities, found
