"""The oracle that other index types are tested against: computes every similarity with NumPy."""

from __future__ import annotations

import io
import math
import os
import re
from pathlib import Path

import numpy as np

from idia_index.errors import DamagedIndexError
from idia_index.plugins import IndexType, SearchedShard
from idia_index.types import Float32, Int64

# NumPy evaluates headers, so only this exact form, the one written here, is accepted.
_HEADER = re.compile(
    rb"\x93NUMPY\x01\x00..\{'descr': '<f4', 'fortran_order': False, "
    rb"'shape': \((\d{1,18}), (\d{1,18}), (\d{1,18})\), \} *\n",
    re.DOTALL,
)
_HEAD = 512


class NumpyShard(SearchedShard):
    """Float32 [T, n, D], searched by one plain float64 product per template."""

    def __init__(self, vectors: Float32) -> None:
        self._vectors = vectors

    def search(self, queries: Float32, k: int) -> tuple[Float32, Int64]:
        t, n, _ = self._vectors.shape
        similarities = np.full((t, len(queries), k), -np.inf, np.float32)
        rows = np.full((t, len(queries), k), -1, np.int64)
        for template, vectors in enumerate(self._vectors):
            scores = queries.astype(np.float64) @ vectors.astype(np.float64).T
            scores = scores.astype(np.float32)
            order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
            similarities[template, :, : min(k, n)] = np.take_along_axis(scores, order, axis=1)
            rows[template, :, : min(k, n)] = order
        return similarities, rows

    def text_embeddings(self, template: int, rows: Int64) -> Float32:
        return np.array(self._vectors[template][rows], np.float32)


class NumpyType(IndexType):
    """Exact and simple; for tests and small indexes. One .npy file per shard."""

    name = "numpy"
    exact = True
    suffix = ".npy"

    def row_bytes(self, dim: int) -> int:
        return 4 * dim

    def write_shard(self, path: Path, text_embeddings: Float32) -> None:
        # To memory first: NumPy does not notice a full disk when writing.
        data = io.BytesIO()
        np.save(data, text_embeddings, allow_pickle=False)
        path.write_bytes(data.getbuffer())

    def open_shard(self, path: Path, shape: tuple[int, int, int]) -> NumpyShard:
        try:
            with path.open("rb") as file:
                size, head = os.fstat(file.fileno()).st_size, file.read(_HEAD)
            found = _HEADER.match(head)
            if not found or tuple(map(int, found.groups())) != tuple(shape):
                raise ValueError(f"it begins with {head[:90]!r}")
            place = 10 + int.from_bytes(head[8:10], "little")
            if size != place + 4 * math.prod(shape):
                raise ValueError(f"it has {size} bytes")
            vectors: Float32 = np.memmap(path, np.float32, "r", place, shape)
        except (OSError, ValueError) as error:
            raise DamagedIndexError(
                f"{path}: not an .npy file of float32 {shape} as in the manifest ({error}); "
                "rebuild the index"
            ) from error
        return NumpyShard(vectors)
