"""The oracle that other index kinds are tested against: NumPy, every similarity computed."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from idia_index.errors import IdiaIndexError
from idia_index.protocols import IndexKind, Shard
from idia_index.records import Float32, Int64


class OracleShard(Shard):
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


class OracleKind(IndexKind):
    """Exact and simple; for tests and small indexes. One .npy file a shard."""

    name = "numpy"
    exact = True
    suffix = ".npy"

    def write_shard(self, path: Path, text_embeddings: Float32) -> None:
        # To memory first: NumPy's own writing overlooks a disk that is full.
        data = io.BytesIO()
        np.save(data, text_embeddings, allow_pickle=False)
        path.write_bytes(data.getbuffer())

    def open_shard(self, path: Path, shape: tuple[int, int, int]) -> OracleShard:
        try:
            vectors = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise IdiaIndexError(f"{path}: not an .npy file of embeddings ({error})") from error
        if vectors.shape != shape or vectors.dtype != np.float32:
            raise IdiaIndexError(
                f"{path}: holds {vectors.dtype} {vectors.shape}, the manifest says float32 "
                f"{shape}; build the index again"
            )
        return OracleShard(vectors)

    def in_memory(self, text_embeddings: Float32) -> OracleShard:
        return OracleShard(np.ascontiguousarray(text_embeddings, np.float32))
