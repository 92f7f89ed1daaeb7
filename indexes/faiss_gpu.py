"""Searches the files of flat with FAISS on a GPU. Not measured on a GPU by its authors.

FAISS copies rows from the host in parts that fit the device's memory, and proposes contenders;
these are compared on the CPU, as everywhere, so the names are those of the index type flat.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from idia_index.errors import DamagedIndexError, IdiaIndexError, MissingExtraError, install_command
from idia_index.indexes.flat import FlatType, FloatShard
from idia_index.indexes.products import rounding_bound
from idia_index.plugins import IndexType, SearchedShard
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

    A float32 product rounds by the library's path, so equal rows may get unequal similarities. The
    fast search only proposes contenders, which are scored again in float64; more are fetched until
    no other row can reach the k-th place.

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


try:
    import faiss
except ImportError as error:
    raise MissingExtraError("the faiss-gpu index", "faiss", "gpu") from error

MOST = 2048  # FAISS on a GPU returns at most this many neighbours
QUERY_BLOCK = 1024


@lru_cache(maxsize=1)
def gpu_resources() -> Any:
    """FAISS's GPU resources, tested with a tiny search.

    Raises:
        IdiaIndexError: FAISS lacks GPU support, there is no GPU, or it does not work.
    """
    if not hasattr(faiss, "knn_gpu") or not hasattr(faiss, "StandardGpuResources"):
        raise IdiaIndexError(
            "the index type 'faiss-gpu' needs FAISS with GPU support: "
            f"{install_command('gpu')}, or serve the index as 'torch' or 'flat'"
        )
    try:
        resources = faiss.StandardGpuResources()
        rows = np.eye(8, dtype=np.float32)
        _, found = faiss.knn_gpu(resources, rows, rows, 1, metric=faiss.METRIC_INNER_PRODUCT)
    except (RuntimeError, AssertionError) as error:
        raise IdiaIndexError(
            f"FAISS does not work on the GPU here ({str(error).strip().splitlines()[-1]}); "
            "serve the index as 'torch' or 'flat'"
        ) from error
    if found.ravel().tolist() != list(range(8)):
        raise IdiaIndexError("FAISS returns wrong results on this GPU; serve the index as 'flat'")
    return resources


class FaissGpuShard(SearchedShard):
    """Float32 rows [T, n, D], searched by FAISS's brute force on the device."""

    def __init__(self, rows: FloatShard) -> None:
        self._rows = rows
        self._resources = gpu_resources()

    def search(self, queries: Float32, k: int) -> tuple[Float32, Int64]:
        t, n, _ = self._rows.shape
        kept = min(k, n)
        similarities = np.full((t, len(queries), k), -np.inf, np.float32)
        rows = np.full((t, len(queries), k), -1, np.int64)
        for template in range(t):
            vectors = self._rows.vectors(template)
            for start in range(0, len(queries), QUERY_BLOCK):
                block = slice(start, start + QUERY_BLOCK)
                similarities[template, block, :kept], rows[template, block, :kept] = exact_topk(
                    queries[block], vectors, kept, self._proposer(vectors)
                )
        return similarities, rows

    def text_embeddings(self, template: int, rows: Int64) -> Float32:
        return self._rows.text_embeddings(template, rows)

    def _proposer(self, vectors: Float32) -> Propose:
        def propose(queries: Float32, k: int) -> tuple[Float32, Int64]:
            found: tuple[Float32, Int64]
            if k > MOST:  # more than the device sorts: rare, and exact either way
                found = faiss.knn(queries, vectors, k, metric=faiss.METRIC_INNER_PRODUCT)
            else:
                found = faiss.knn_gpu(
                    self._resources, queries, vectors, k, metric=faiss.METRIC_INNER_PRODUCT
                )
            return found

        return propose


class FaissGpuType(IndexType):
    """Exact float32 on the files of flat; needs a GPU and FAISS built for it."""

    name = "faiss-gpu"
    exact = True
    suffix = FlatType.suffix

    def row_bytes(self, dim: int) -> int:
        return FlatType().row_bytes(dim)

    def self_test(self) -> str:
        super().self_test()
        return "searches on the GPU with FAISS (speed not measured)"

    def write_shard(self, path: Path, text_embeddings: Float32) -> None:
        FlatType().write_shard(path, text_embeddings)

    def open_shard(self, path: Path, shape: tuple[int, int, int]) -> FaissGpuShard:
        return FaissGpuShard(FlatType().open_shard(path, shape))
