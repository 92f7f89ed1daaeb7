"""Index types that search rounded rows: half or a quarter of the bytes, the same names.

A file is one line of JSON that says what follows, and then, each from a multiple of 64 bytes,
for each template the mean, the scale and the longest row, the codes of all templates, and, of
the kinds that end in `-exact`, the float32 rows, which only contenders are read from.
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
from idia_index.indexes.codecs import BFloat16, Codec, Coded, Float16, Int8
from idia_index.plugins import Float64, IndexType, ScoredShard, Scores
from idia_index.types import Float32, Int64

FORMAT = "idia-index/rows/1"
_ALIGN = 64
MOST = 1e6  # of means, scales and lengths of codes; those of unit rows are far below

Arrays = dict[str, NDArray[Any]]


class RoundedShard(ScoredShard):
    """Rounded rows of T templates, and the float32 rows where they are kept."""

    def __init__(self, codec: Codec, arrays: Arrays) -> None:
        self._codec = codec
        self._arrays = arrays
        self._rows: Float32 | None = arrays.get("rows")
        # How far a decoded row may be from the float32 one beside it.
        self._lost: Float64 = arrays["lost"] if self._rows is not None else np.zeros(self.shape[0])

    @property
    def shape(self) -> tuple[int, int, int]:
        t, n, dim = self._arrays["codes"].shape
        return t, n, dim

    def scores(self, templates: slice, rows: slice, queries: Float32) -> Scores:
        arrays = self._arrays
        coded = Coded(
            arrays["codes"][templates, rows], arrays["scale"][templates],
            arrays["longest"][templates],
        )  # fmt: skip
        base = queries.astype(np.float64) @ arrays["mean"][templates].T.astype(np.float64)
        scores = self._codec.scores(queries, coded, base)
        # Giving a row back rounded it, by less than 2**-21 of the score.
        return replace(scores, error=scores.error + (self._lost[templates] + 2.0**-21))

    def rows(self, templates: Int64, rows: Int64) -> Float32:
        if self._rows is not None:
            return np.array(self._rows[templates, rows], np.float32)
        arrays = self._arrays
        decoded = self._codec.decode(np.ascontiguousarray(arrays["codes"][templates, rows]))
        found: Float32 = decoded * arrays["scale"][templates] + arrays["mean"][templates]
        return found

    def text_embeddings(self, template: int, rows: Int64) -> Float32:
        return self.rows(np.full(len(rows), template), rows)


class RoundedType(IndexType):
    """What the kinds of rounded rows share.

    Attributes:
        codec: how rows are rounded.
        keeps_rows: whether the float32 rows stand beside them, so that nothing else is needed
            for the exact answer.
    """

    codec: ClassVar[Codec]
    keeps_rows: ClassVar[bool] = False
    suffix = ".rows"

    def row_bytes(self, dim: int) -> int:
        return (self.codec.dtype.itemsize + 4 * self.keeps_rows) * dim

    def write_shard(self, path: Path, text_embeddings: Float32) -> None:
        arrays = self._arrays(text_embeddings)
        header = json.dumps(_header(self.name, text_embeddings.shape)).encode() + b"\n"
        with path.open("wb") as file:
            file.write(header)
            for array in arrays.values():
                file.write(b"\0" * (-file.tell() % _ALIGN))
                file.write(array.data)  # NumPy's own writing overlooks a disk that is full

    def open_shard(self, path: Path, shape: tuple[int, int, int]) -> RoundedShard:
        try:
            with path.open("rb") as file:
                line = file.readline(1000)
            header = json.loads(line)
            found = tuple(header["shape"])
            if header != _header(self.name, found):
                raise ValueError(f"its first line is {line[:80]!r}")
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise DamagedIndexError(
                f"{path}: not a file of {self.name} rows ({error}); mend it with: idia-index repair"
            ) from error
        if found != tuple(shape):
            raise DamagedIndexError(
                f"{path}: holds {found} rows, the manifest says {tuple(shape)}; "
                "build the index again"
            )
        arrays, place = Arrays(), len(line)
        self._check_size(path, place, shape)
        for name, (dtype, size) in self._layout(shape).items():
            place += -place % _ALIGN
            try:
                # Mapped so that a write, which nobody makes, would not reach the file.
                arrays[name] = np.memmap(path, dtype, "c", place, size)
            except (OSError, ValueError) as error:
                raise DamagedIndexError(
                    f"{path}: is cut short ({error}); mend it with: idia-index repair"
                ) from error
            place += arrays[name].nbytes
        for name in ("mean", "scale", "longest", "lost"):
            most = np.abs(arrays[name]).max()
            if not most <= MOST or (name != "mean" and arrays[name].min() < 0):
                raise DamagedIndexError(
                    f"{path}: its {name} holds numbers that it cannot; build the index again"
                )
        return RoundedShard(self.codec, arrays)

    def _check_size(self, path: Path, place: int, shape: tuple[int, int, int]) -> None:
        """Raises InputError unless a file ends where its last array does."""
        for dtype, size in self._layout(shape).values():
            place += -place % _ALIGN + math.prod(size) * np.dtype(dtype).itemsize
        if path.stat().st_size != place:
            raise DamagedIndexError(
                f"{path}: has {path.stat().st_size} bytes, {place} for {shape} rows; "
                "build the index again"
            )

    def in_memory(self, text_embeddings: Float32) -> RoundedShard:
        return RoundedShard(self.codec, self._arrays(np.asarray(text_embeddings, np.float32)))

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
            codes, scale = self.codec.encode(vectors - mean)
            plain = self.codec.decode(codes)
            lost = (plain * scale + mean).astype(np.float64) - vectors
            arrays["mean"][t], arrays["scale"][t], arrays["codes"][t] = mean, scale, codes
            arrays["longest"][t] = np.linalg.norm(plain.astype(np.float64), axis=1).max() * 1.001
            arrays["lost"][t] = np.linalg.norm(lost, axis=1).max() * 1.001
        if self.keeps_rows:
            arrays["rows"] = np.ascontiguousarray(rows, np.float32)
        return arrays


def _header(index_type: str, shape: tuple[int, ...]) -> dict[str, Any]:
    return {"format": FORMAT, "kind": index_type, "shape": list(shape)}


class Float16Type(RoundedType):
    """Half the bytes; the rest is encoded again where they leave doubt, which is seldom."""

    name = "float16"
    exact = False
    codec = Float16()


class BFloat16Type(RoundedType):
    """Half the bytes, and products that processors with AMX make fast."""

    name = "bfloat16"
    exact = False
    codec = BFloat16()


class Int8Type(RoundedType):
    """A quarter of the bytes; more names are encoded again."""

    name = "int8"
    exact = False
    codec = Int8()


class BFloat16ExactType(RoundedType):
    """Float32 rows, found by way of bfloat16 ones: half the bytes read, half more on disk."""

    name = "bfloat16-exact"
    exact = True
    codec = BFloat16()
    keeps_rows = True
    read_share = 1 / 3


class Int8ExactType(RoundedType):
    """Float32 rows, found by way of one byte each: a quarter of the bytes read."""

    name = "int8-exact"
    exact = True
    codec = Int8()
    keeps_rows = True
    read_share = 1 / 5
