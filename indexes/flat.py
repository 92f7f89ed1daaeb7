"""The default index kind: FAISS, float32, exact, mapped from disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from idia_index.errors import IdiaIndexError, MissingExtraError
from idia_index.indexes.exact import exact_topk
from idia_index.protocols import IndexKind, Shard
from idia_index.records import Float32, Int64

try:
    import faiss
except ImportError as error:
    raise MissingExtraError("the flat index", "faiss", "cpu") from error

# From this many queries on, FAISS's matrix product beats its loop over single queries; FAISS
# itself waits until queries times rows reach a far larger number (see docs/decisions.md).
BLAS_FROM_QUERIES = 20
# Scores of this many queries at a time bound the memory of the contenders' rows.
QUERY_BLOCK = 2048


@contextmanager
def _blas_path() -> Iterator[None]:
    before = faiss.cvar.distance_compute_blas_threshold
    faiss.cvar.distance_compute_blas_threshold = BLAS_FROM_QUERIES
    try:
        yield
    finally:
        faiss.cvar.distance_compute_blas_threshold = before


class FlatShard(Shard):
    """T x n rows in one FAISS IndexFlatIP, template by template."""

    def __init__(self, vectors: Float32, owner: object) -> None:
        """Takes float32 [T, n, D] and the object whose memory it is a view of."""
        self._vectors = vectors
        self._owner = owner

    def search(self, queries: Float32, k: int) -> tuple[Float32, Int64]:
        t, n, _ = self._vectors.shape
        m = len(queries)
        similarities = np.full((t, m, k), -np.inf, np.float32)
        rows = np.full((t, m, k), -1, np.int64)
        kept = min(k, n)
        queries = np.ascontiguousarray(queries, np.float32)
        with _blas_path():
            for template, vectors in enumerate(self._vectors):
                for start in range(0, m, QUERY_BLOCK):
                    block = slice(start, start + QUERY_BLOCK)
                    similarities[template, block, :kept], rows[template, block, :kept] = exact_topk(
                        queries[block], vectors, kept, _proposer(vectors)
                    )
        return similarities, rows

    def text_embeddings(self, template: int, rows: Int64) -> Float32:
        return np.array(self._vectors[template][rows], np.float32)


def _proposer(vectors: Float32):  # type: ignore[no-untyped-def]
    def propose(queries: Float32, k: int) -> tuple[Float32, Int64]:
        found: tuple[Float32, Int64] = faiss.knn(
            queries, vectors, k, metric=faiss.METRIC_INNER_PRODUCT
        )
        return found

    return propose


class FlatKind(IndexKind):
    """Exact inner product over float32 rows, one FAISS file a shard."""

    name = "flat"
    exact = True
    suffix = ".faiss"

    def write_shard(self, path: Path, text_embeddings: Float32) -> None:
        index = faiss.IndexFlatIP(text_embeddings.shape[2])
        for rows in text_embeddings:
            index.add(np.ascontiguousarray(rows))
        # FAISS opens files for everybody to read; the store has made this one for its owner.
        try:
            faiss.write_index(index, os.fspath(path))
        except RuntimeError as error:
            raise IdiaIndexError(
                f"{path}: cannot be written; is the disk full? ({_first_line(error)})"
            ) from error

    def open_shard(self, path: Path, shape: tuple[int, int, int]) -> FlatShard:
        t, n, dim = shape
        try:
            index = faiss.read_index(os.fspath(path), faiss.IO_FLAG_MMAP_IFC)
        except RuntimeError as error:
            raise IdiaIndexError(f"{path}: not a FAISS file ({_first_line(error)})") from error
        if not isinstance(index, faiss.IndexFlat) or (index.ntotal, index.d) != (t * n, dim):
            raise IdiaIndexError(
                f"{path}: holds {index.ntotal} rows of length {index.d}, the manifest says "
                f"{t * n} of length {dim}; build the index again"
            )
        rows: Float32 = faiss.rev_swig_ptr(index.get_xb(), index.ntotal * index.d)
        return FlatShard(rows.reshape(shape), index)

    def in_memory(self, text_embeddings: Float32) -> FlatShard:
        return FlatShard(np.ascontiguousarray(text_embeddings, np.float32), None)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1]
