"""Approximate kinds, for those who choose them by name: FAISS's IVF, PQ and HNSW.

Each says how often it finds the exact answer; the store measures that when a shard is written.
A file is one line of JSON with the sizes of the templates' FAISS indexes, and these.
"""

from __future__ import annotations

import json
import os
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from idia_index.errors import DamagedIndexError, MissingExtraError
from idia_index.indexes.faiss_layout import Bytes, check_hnsw, check_ivf, check_pq
from idia_index.plugins import IndexType, SearchedShard
from idia_index.types import Float32, Int64

try:
    import faiss
except ImportError as error:
    raise MissingExtraError("approximate indexes", "faiss", "cpu") from error

FORMAT = "idia-index/approximate/1"
MAX_HEADER = 1 << 20
BLOCK = 1 << 22  # numbers compared at a time, so that memory is bounded


@contextmanager
def _one_thread() -> Iterator[None]:
    """FAISS on one thread, so that what it builds is the same every time; put back after."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


class ApproximateShard(SearchedShard):
    """A FAISS index for each template."""

    def __init__(self, parts: list[Any]) -> None:
        self._parts = parts

    def search(self, queries: Float32, k: int) -> tuple[Float32, Int64]:
        t, m = len(self._parts), len(queries)
        similarities = np.full((t, m, k), -np.inf, np.float32)
        rows = np.full((t, m, k), -1, np.int64)
        for template, part in enumerate(self._parts):
            kept = min(k, part.ntotal)
            step = max(1, BLOCK // (kept * part.d))
            for start in range(0, m, step):
                here = slice(start, start + step)
                found = self._found(template, queries[here], kept)
                vectors = self.text_embeddings(template, found.ravel())
                vectors = vectors.reshape(*found.shape, -1).astype(np.float64)
                scores = np.einsum("md,mkd->mk", queries[here], vectors).astype(np.float32)
                order = np.lexsort((found, -scores), axis=1)
                similarities[template, here, :kept] = np.take_along_axis(scores, order, axis=1)
                rows[template, here, :kept] = np.take_along_axis(found, order, axis=1)
        return similarities, rows

    def _found(self, template: int, queries: Float32, k: int) -> Int64:
        """What FAISS takes for the k best, int64 [M, k] in no order; of all rows where it has less.

        It has less where the lists that it looks at are short, as where rows were removed and
        more are asked for in their stead, or where its graph leads to no more.
        """
        part = self._parts[template]
        found: Int64 = part.search(queries, k)[1]
        short = np.flatnonzero((found < 0).any(axis=1))
        if len(short):
            rows = self.text_embeddings(template, np.arange(part.ntotal))
            step = max(1, BLOCK // part.ntotal)
            for some in (short[start : start + step] for start in range(0, len(short), step)):
                scores = queries[some] @ rows.T
                found[some] = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        return found

    def text_embeddings(self, template: int, rows: Int64) -> Float32:
        part = self._parts[template]
        if not len(rows):
            return np.empty((0, part.d), np.float32)
        found: Float32 = part.reconstruct_batch(np.ascontiguousarray(rows, np.int64))
        return found


class ApproximateType(IndexType):
    """What the approximate kinds share."""

    exact = False
    suffix = ".approximate"

    def row_bytes(self, dim: int) -> int:
        return 4 * dim

    @abstractmethod
    def _empty(self, count: int, dim: int) -> Any:
        """A FAISS index for `count` rows of length `dim`, to be trained."""

    @staticmethod
    @abstractmethod
    def check(data: Bytes, count: int, dim: int) -> None:
        """Raises ValueError unless FAISS may read the bytes of one index."""

    def write_shard(self, path: Path, text_embeddings: Float32) -> None:
        parts = [faiss.serialize_index(part) for part in self._indexes(text_embeddings)]
        header = {"format": FORMAT, "kind": self.name, "bytes": [len(part) for part in parts]}
        with path.open("wb") as file:
            file.write(json.dumps(header).encode() + b"\n")
            for part in parts:
                file.write(part.data)

    def open_shard(self, path: Path, shape: tuple[int, int, int]) -> ApproximateShard:
        t, n, dim = shape
        parts = []
        try:
            with path.open("rb") as file:
                line = file.readline(MAX_HEADER)
                sizes = self._sizes(line, t, os.fstat(file.fileno()).st_size)
                for size in sizes:
                    data = np.fromfile(file, np.uint8, size)
                    self.check(data, n, dim)
                    parts.append(self._ready(faiss.deserialize_index(data)))
        except (OSError, ValueError, KeyError, TypeError, RecursionError, RuntimeError) as error:
            message = str(error).strip().splitlines() or ["it is empty"]
            raise DamagedIndexError(
                f"{path}: not a file of {self.name} of the rows that the manifest says "
                f"({message[-1]}); build the index again"
            ) from error
        return ApproximateShard(parts)

    def _sizes(self, line: bytes, templates: int, total: int) -> list[int]:
        """The sizes of the FAISS indexes, which the first line says; raises ValueError."""
        header = json.loads(line)
        if (header["format"], header["kind"]) != (FORMAT, self.name):
            raise ValueError("it is of another kind")
        sizes = header["bytes"]
        if len(sizes) != templates or any(type(size) is not int or size < 1 for size in sizes):
            raise ValueError("its first line is of another number of templates")
        if len(line) + sum(sizes) != total:
            raise ValueError(f"{total} bytes, its first line says {len(line) + sum(sizes)}")
        return [int(size) for size in sizes]

    def in_memory(self, text_embeddings: Float32) -> ApproximateShard:
        rows = np.asarray(text_embeddings, np.float32)
        return ApproximateShard([self._ready(part) for part in self._indexes(rows)])

    def _indexes(self, rows: Float32) -> Iterator[Any]:
        for vectors in map(np.ascontiguousarray, rows):
            with _one_thread():
                part = self._empty(len(vectors), vectors.shape[1])
                # A single row, given twice: `pq` takes no fewer than two.
                part.train(np.repeat(vectors, 2, axis=0) if len(vectors) == 1 else vectors)
                part.add(vectors)
            yield part

    def _ready(self, part: Any) -> Any:
        """The index with its search settings, which files do not keep all of."""
        return part


class IvfType(ApproximateType):
    """Float32 rows in lists around centroids; a quarter of the lists is searched."""

    name = "ivf"
    check = staticmethod(check_ivf)

    def _empty(self, count: int, dim: int) -> Any:
        lists = max(1, min(int(2 * count**0.5), count // 8))
        part: Any = faiss.index_factory(dim, f"IVF{lists},Flat", faiss.METRIC_INNER_PRODUCT)
        part.cp.min_points_per_centroid = 1
        return part

    def _ready(self, part: Any) -> Any:
        part.nprobe = max(1, part.nlist // 4)
        part.make_direct_map()
        return part


class PqType(ApproximateType):
    """A byte for every eight dimensions or so: the smallest, and the least exact."""

    name = "pq"
    check = staticmethod(check_pq)

    def row_bytes(self, dim: int) -> int:
        return self._pieces(dim)  # a byte each, but for shards of less than 256 names

    def _pieces(self, dim: int) -> int:
        return max(p for p in range(1, max(2, dim // 4 + 1)) if dim % p == 0)

    def _empty(self, count: int, dim: int) -> Any:
        bits = min(8, max(1, count.bit_length() - 1))
        part = faiss.IndexPQ(dim, self._pieces(dim), bits, faiss.METRIC_INNER_PRODUCT)
        part.pq.cp.min_points_per_centroid = 1
        return part


class HnswType(ApproximateType):
    """Float32 rows in a graph of neighbours."""

    name = "hnsw"
    check = staticmethod(check_hnsw)

    def _empty(self, count: int, dim: int) -> Any:
        part = faiss.IndexHNSWFlat(dim, 16, faiss.METRIC_INNER_PRODUCT)
        part.hnsw.efConstruction = 80
        return part

    def _ready(self, part: Any) -> Any:
        part.hnsw.efSearch = 128
        return part
