"""Index types that search quantized rows: half the bytes are read, with the same names.

A file is one line of JSON that describes the rest, then, each aligned to 64 bytes: for each
template the mean, a scale of 1, the length of the longest row of codes and the largest error of a
row; the codes of all templates; and, in `bfloat16-exact`, the float32 rows, which are read only
for contenders.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from idia_index.errors import DamagedIndexError
from idia_index.indexes.codecs import BFloat16, Codec, Float16
from idia_index.plugins import Float64, IndexType, ScoredShard, Scores
from idia_index.types import Float32, Int64

FORMAT = "idia-index/rows/1"
_ALIGN = 64
REPAIR = "fix it with: idia-index repair"
MOST = 1e6  # limit of means and code lengths; unit rows stay far below

Arrays = dict[str, NDArray[Any]]


class QuantizedShard(ScoredShard):
    """Quantized rows of T templates, and the float32 rows if they are stored."""

    def __init__(self, codec: Codec, arrays: Arrays) -> None:
        self._codec = codec
        self._arrays = arrays
        self._rows: Float32 | None = arrays.get("rows")
        # Maximum difference between a decoded row and its float32 row.
        self._lost: Float64 = arrays["lost"] if self._rows is not None else np.zeros(self.shape[0])

    @property
    def shape(self) -> tuple[int, int, int]:
        t, n, dim = self._arrays["codes"].shape
        return t, n, dim

    def scores(self, templates: slice, rows: slice, queries: Float32) -> Scores:
        arrays = self._arrays
        base = queries.astype(np.float64) @ arrays["mean"][templates].T.astype(np.float64)
        codes, longest = arrays["codes"][templates, rows], arrays["longest"][templates]
        scores = self._codec.scores(queries, codes, longest, base)
        # Adding the mean rounds a decoded row, by less than 2**-21 of the score.
        return replace(scores, error=scores.error + (self._lost[templates] + 2.0**-21))

    def rows(self, templates: Int64, rows: Int64) -> Float32:
        if self._rows is not None:
            return np.array(self._rows[templates, rows], np.float32)
        codes = np.ascontiguousarray(self._arrays["codes"][templates, rows])
        found: Float32 = self._codec.decode(codes) + self._arrays["mean"][templates]
        return found

    def text_embeddings(self, template: int, rows: Int64) -> Float32:
        return self.rows(np.full(len(rows), template), rows)


class QuantizedType(IndexType):
    """Base of the index types with quantized rows.

    Attributes:
        codec: how rows are quantized.
        keeps_rows: whether the float32 rows are stored too, so that the exact answer needs
            nothing else.
    """

    codec: ClassVar[Codec]
    keeps_rows: ClassVar[bool] = False
    suffix = ".rows"

    def row_bytes(self, dim: int) -> int:
        return (self.codec.dtype.itemsize + 4 * self.keeps_rows) * dim

    def write_shard(self, path: Path, text_embeddings: Float32) -> None:
        arrays = self._arrays(text_embeddings)
        with path.open("wb") as file:
            file.write(self._header(text_embeddings.shape))
            for array in arrays.values():
                file.write(b"\0" * (-file.tell() % _ALIGN))
                file.write(array.data)  # NumPy does not notice a full disk when writing

    def open_shard(self, path: Path, shape: tuple[int, int, int]) -> QuantizedShard:
        place = self._check_header(path, shape)
        self._check_size(path, place, shape)
        arrays = Arrays()
        for name, (dtype, size) in self._layout(shape).items():
            place += -place % _ALIGN
            # Mapped so that a write, which never happens, would not reach the file.
            arrays[name] = np.memmap(path, dtype, "c", place, size)
            place += arrays[name].nbytes
        for name in ("mean", "longest", "lost"):
            most = np.abs(arrays[name]).max()
            if not most <= MOST or (name != "mean" and arrays[name].min() < 0):
                raise DamagedIndexError(
                    f"{path}: its {name} holds impossible numbers; rebuild the index"
                )
        return QuantizedShard(self.codec, arrays)

    def _check_header(self, path: Path, shape: tuple[int, int, int]) -> int:
        """Length in bytes of a file's first line; raises DamagedIndexError if it is wrong."""
        expected = self._header(shape)
        try:
            with path.open("rb") as file:
                found = file.read(len(expected))
        except OSError as error:
            raise DamagedIndexError(f"{path}: cannot be read ({error}); {REPAIR}") from error
        if found != expected:
            raise DamagedIndexError(
                f"{path}: begins with {found[:90]!r}, by the manifest it must be {expected!r}; "
                f"{REPAIR}"
            )
        return len(expected)

    def _header(self, shape: tuple[int, ...]) -> bytes:
        header = {"format": FORMAT, "kind": self.name, "shape": list(shape)}
        return json.dumps(header).encode() + b"\n"

    def _check_size(self, path: Path, place: int, shape: tuple[int, int, int]) -> None:
        """Raises DamagedIndexError unless a file ends where its last array does."""
        for dtype, size in self._layout(shape).values():
            place += -place % _ALIGN + math.prod(size) * np.dtype(dtype).itemsize
        if path.stat().st_size != place:
            raise DamagedIndexError(
                f"{path}: has {path.stat().st_size} bytes, {place} for {shape} rows; "
                "rebuild the index"
            )

    def _layout(self, shape: tuple[int, int, int]) -> dict[str, tuple[Any, tuple[int, ...]]]:
        t, _, dim = shape
        layout: dict[str, tuple[Any, tuple[int, ...]]] = {
            "mean": (np.float32, (t, dim)),
            "scale": (np.float32, (t, dim)),
            "longest": (np.float64, (t,)),
            "lost": (np.float64, (t,)),
            "codes": (self.codec.dtype, shape),
        }
        return {**layout, "rows": (np.float32, shape)} if self.keeps_rows else layout

    def _arrays(self, rows: Float32) -> Arrays:
        arrays: Arrays = {
            name: np.empty(size, dtype)
            for name, (dtype, size) in self._layout(rows.shape).items()
            if name != "rows"
        }
        for t, vectors in enumerate(rows):
            mean = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
            codes = self.codec.encode(vectors - mean)
            plain = self.codec.decode(codes)
            lost = (plain + mean).astype(np.float64) - vectors
            arrays["mean"][t], arrays["scale"][t], arrays["codes"][t] = mean, 1, codes
            arrays["longest"][t] = np.linalg.norm(plain.astype(np.float64), axis=1).max() * 1.001
            arrays["lost"][t] = np.linalg.norm(lost, axis=1).max() * 1.001
        if self.keeps_rows:
            arrays["rows"] = np.ascontiguousarray(rows, np.float32)
        return arrays


class Float16Type(QuantizedType):
    """Half the bytes; the few prompts that they leave undecided are encoded again."""

    name = "float16"
    exact = False
    codec = Float16()


class BFloat16ExactType(QuantizedType):
    """Float32 rows, searched through bfloat16 ones: half the bytes read, half more on disk."""

    name = "bfloat16-exact"
    exact = True
    codec = BFloat16()
    keeps_rows = True
    read_share = 1 / 3
