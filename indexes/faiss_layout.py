"""The files of FAISS, checked number by number before FAISS reads one.

FAISS believes the sizes and the places that a file states: it allocates what a length says, and
follows a neighbour wherever it points. A file may come from anybody, so the few layouts that are
written here are gone through first, and whatever is not exactly one of them is refused.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

_HEADER = struct.Struct("<4siqqqBi")  # kind, length of rows, rows, two unused, trained, metric
_INNER_PRODUCT = 0
FLAT_HEADER = _HEADER.size + 8

Bytes = NDArray[np.uint8]


class Reader:
    """Goes through a file's bytes; every read raises ValueError where they end."""

    def __init__(self, data: Bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, count: int) -> Bytes:
        """The next bytes."""
        if not 0 <= count <= len(self._data) - self._at:
            raise ValueError("it is cut short")
        self._at += count
        return self._data[self._at - count : self._at]

    def array(self, dtype: str, count: int) -> NDArray[Any]:
        """The next numbers."""
        return np.frombuffer(self.take(np.dtype(dtype).itemsize * count).tobytes(), dtype)

    def vector(self, dtype: str, count: int) -> NDArray[Any]:
        """The next numbers, after how many they are."""
        self.expect("<u8", count, "a list")
        return self.array(dtype, count)

    def expect(self, dtype: str, value: int, what: str) -> None:
        """Checks the next number."""
        found = int(self.array(dtype, 1)[0])
        if found != value:
            raise ValueError(f"{what} of {found}, expected {value}")

    def name(self, name: bytes) -> None:
        """Checks the next letters."""
        found = self.take(len(name)).tobytes()
        if found != name:
            raise ValueError(f"{found!r} where {name!r} is expected")

    def end(self) -> None:
        """Checks that nothing follows."""
        if self._at != len(self._data):
            raise ValueError(f"{len(self._data) - self._at} bytes too many")


def header(reader: Reader, kind: bytes, count: int, dim: int) -> None:
    """Checks the part that all indexes begin with."""
    found, d, n, _, _, trained, metric = _HEADER.unpack(reader.take(_HEADER.size).tobytes())
    if (found, d, n, trained, metric) != (kind, dim, count, 1, _INNER_PRODUCT):
        raise ValueError(
            f"{found!r} of {n} rows of length {d}, metric {metric}; "
            f"expected {kind!r} of {count} of length {dim}"
        )


def flat_header(reader: Reader, count: int, dim: int) -> None:
    """Checks what stands before the rows of an IndexFlatIP."""
    header(reader, b"IxFI", count, dim)
    reader.expect("<u8", count * dim, "rows")


def check_ivf(data: Bytes, count: int, dim: int) -> None:
    """Checks an IndexIVFFlat; raises ValueError."""
    reader = Reader(data)
    header(reader, b"IwFl", count, dim)
    lists = int(reader.array("<u8", 1)[0])
    if not 1 <= lists <= max(count, 1):
        raise ValueError(f"{lists} lists of {count} rows")
    reader.take(8)  # how many lists are searched, which is set when it is opened
    flat_header(reader, lists, dim)
    reader.take(4 * lists * dim)
    reader.name(b"\0" + b"\0" * 8)  # no map from rows to lists
    reader.name(b"ilar")
    reader.expect("<u8", lists, "lists")
    reader.expect("<u8", 4 * dim, "rows")
    sizes = _list_sizes(reader, lists)
    if sum(sizes) != count:
        raise ValueError(f"lists of {sum(sizes)} rows, expected {count}")
    seen = np.zeros(count, bool)
    for size in sizes:
        reader.take(4 * dim * size)
        ids = reader.array("<i8", size)
        if size and not 0 <= ids.min() <= ids.max() < count:
            raise ValueError("a list with a row that there is not")
        seen[ids] = True
    reader.end()
    if not seen.all():
        raise ValueError("a row is in no list")


def _list_sizes(reader: Reader, lists: int) -> list[int]:
    """The sizes of all lists, or those of some with their numbers."""
    how = reader.take(4).tobytes()
    if how == b"full":
        found: list[int] = reader.vector("<u8", lists).tolist()
        return found
    if how != b"sprs":
        raise ValueError(f"lists written as {how!r}")
    count = int(reader.array("<u8", 1)[0])
    if count % 2 or count > 2 * lists:
        raise ValueError(f"{count} sizes of {lists} lists")
    pairs = reader.array("<u8", count).reshape(-1, 2).tolist()
    if any(number >= lists for number, _ in pairs) or len(dict(pairs)) != len(pairs):
        raise ValueError("a list that there is not")
    sizes = dict(pairs)
    return [sizes.get(number, 0) for number in range(lists)]


def check_pq(data: Bytes, count: int, dim: int) -> None:
    """Checks an IndexPQ; raises ValueError."""
    reader = Reader(data)
    header(reader, b"IxPq", count, dim)
    reader.expect("<u8", dim, "rows")
    pieces, bits = (int(value) for value in reader.array("<u8", 2))
    if not (1 <= pieces <= dim and dim % pieces == 0 and 1 <= bits <= 8):
        raise ValueError(f"{pieces} pieces of {bits} bits")
    reader.vector("<f4", dim << bits)
    reader.vector("u1", count * -(-pieces * bits // 8))
    reader.expect("<i4", 0, "a search")
    reader.take(5)  # of another sort of search
    reader.end()


def check_hnsw(data: Bytes, count: int, dim: int) -> None:
    """Checks an IndexHNSWFlat, neighbour by neighbour; raises ValueError."""
    reader = Reader(data)
    header(reader, b"IHNf", count, dim)
    _check_graph(reader, count)
    flat_header(reader, count, dim)
    reader.take(4 * count * dim)
    reader.end()


def _check_graph(reader: Reader, count: int) -> None:
    layers = int(reader.array("<u8", 1)[0])
    if not 1 <= layers <= 64:
        raise ValueError(f"{layers} layers")
    reader.array("<f8", layers)
    widths = reader.vector("<i4", layers + 1).astype(np.int64)
    levels = reader.vector("<i4", count).astype(np.int64)
    starts = reader.vector("<u8", count + 1)
    if widths[0] or (np.diff(widths) < 0).any() or not 1 <= levels.min() <= levels.max() <= layers:
        raise ValueError("layers that do not fit together")
    expected = np.concatenate([[0], np.cumsum(widths[levels])]).astype(np.uint64)
    if not np.array_equal(starts, expected):
        raise ValueError("neighbours that do not fit together")
    neighbours = reader.vector("<i4", int(expected[-1])).astype(np.int64)
    if len(neighbours) and not -1 <= neighbours.min() <= neighbours.max() < count:
        raise ValueError("a neighbour that there is not")
    entry, top = (int(value) for value in reader.array("<i4", 2))
    reader.take(12)  # settings of searches, which are made when it is opened
    if not 0 <= entry < count or top != levels[entry] - 1 or top != levels.max() - 1:
        raise ValueError(f"a search that begins at {entry}")
    # On a layer lie only rows that reach it; what is read of others would be their neighbours'.
    place = np.arange(len(neighbours)) - np.repeat(expected[:-1], widths[levels]).astype(np.int64)
    layer = np.searchsorted(widths, place, side="right") - 1
    linked = neighbours >= 0
    if (levels[neighbours[linked]] <= layer[linked]).any():
        raise ValueError("a neighbour on a layer that it does not reach")
