"""The default index type: exact float32 rows in FAISS files, mapped from disk.

FAISS stores the rows; products are PyTorch's or NumPy's, which the search can bound, run in one
thread each, and stop early (measured by `benchmarks/search_paths.py`).
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np

from idia_index.errors import DamagedIndexError, InputError, MissingExtraError
from idia_index.indexes.products import float_scores, product, rounding_bound
from idia_index.plugins import IndexType, ScoredShard, Scores
from idia_index.support.text import shown_path
from idia_index.types import Float32, Int64

try:
    import faiss
except ImportError as error:
    raise MissingExtraError("the flat index", "faiss", "cpu") from error

# Magic, row length, rows, two unused, trained, metric (0: inner product), numbers.
_HEADER = struct.Struct("<4siqqqBiQ")


class FloatShard(ScoredShard):
    """Float32 rows [T, n, D] in memory or mapped."""

    def __init__(self, vectors: Float32, owner: object) -> None:
        """Takes the rows and the object that owns their memory."""
        self._vectors = vectors
        self._owner = owner

    @property
    def shape(self) -> tuple[int, int, int]:
        t, n, dim = self._vectors.shape
        return t, n, dim

    def vectors(self, template: int) -> Float32:
        """All rows of one template, float32 [n, D]."""
        rows: Float32 = self._vectors[template]
        return rows

    def scores(self, templates: slice, rows: slice, queries: Float32) -> Scores:
        vectors = self._vectors[templates, rows]
        if vectors.flags.c_contiguous:  # one product for all templates
            found = product(queries, vectors.reshape(-1, vectors.shape[2]))
            found = found.reshape(len(queries), *vectors.shape[:2])
        else:
            found = np.stack([product(queries, part) for part in vectors], axis=1)
        return float_scores(found, rounding_bound(queries.shape[1]))

    def rows(self, templates: Int64, rows: Int64) -> Float32:
        found: Float32 = self._vectors[templates, rows]
        return found

    def text_embeddings(self, template: int, rows: Int64) -> Float32:
        return np.array(self._vectors[template][rows], np.float32)


class FlatType(IndexType):
    """Exact inner product over float32 rows, one FAISS file per shard."""

    name = "flat"
    exact = True
    suffix = ".faiss"

    def row_bytes(self, dim: int) -> int:
        return 4 * dim

    def write_shard(self, path: Path, text_embeddings: Float32) -> None:
        index = faiss.IndexFlatIP(text_embeddings.shape[2])
        for rows in text_embeddings:
            index.add(np.ascontiguousarray(rows))
        # FAISS, like NumPy, does not notice a full disk when writing.
        with path.open("wb") as file:
            file.write(faiss.serialize_index(index).data)

    def open_shard(self, path: Path, shape: tuple[int, int, int]) -> FloatShard:
        t, n, dim = shape
        try:
            _check_file(path, t * n, dim)
            index = faiss.read_index(_path_for_faiss(path), faiss.IO_FLAG_MMAP_IFC)
            if not isinstance(index, faiss.IndexFlat) or (index.ntotal, index.d) != (t * n, dim):
                raise ValueError("FAISS reads different rows")
        except (OSError, ValueError, RuntimeError) as error:
            raise DamagedIndexError(
                f"{path}: not a FAISS file of the manifest's rows ({_last_line(error)}); rebuild "
                "the index"
            ) from error
        rows: Float32 = faiss.rev_swig_ptr(index.get_xb(), index.ntotal * index.d)
        return FloatShard(rows.reshape(shape), index)


def _path_for_faiss(path: Path) -> str:
    text = os.fspath(path)
    if any("\ud800" <= character <= "\udfff" for character in text):
        raise InputError(
            f"{shown_path(path)}: the path is not UTF-8, so FAISS cannot open it; rename the "
            "folder, or choose another"
        )
    return text


def _check_file(path: Path, count: int, dim: int) -> None:
    """Raises OSError or ValueError unless a file is exactly that of an IndexFlatIP.

    FAISS allocates whatever sizes a file claims, and files are untrusted.
    """
    with path.open("rb") as file:
        size, head = os.fstat(file.fileno()).st_size, file.read(_HEADER.size)
    if len(head) != _HEADER.size:
        raise ValueError("it is truncated")
    letters, d, n, _, _, trained, metric, numbers = _HEADER.unpack(head)
    if (letters, d, n, trained, metric, numbers) != (b"IxFI", dim, count, 1, 0, count * dim):
        raise ValueError(
            f"{letters!r} of {n} rows of length {d} in {numbers} numbers, metric {metric}; "
            f"expected b'IxFI' of {count} of length {dim}"
        )
    expected = _HEADER.size + 4 * count * dim
    if size != expected:
        raise ValueError(f"{size} bytes, expected {expected}")


def _last_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1]
