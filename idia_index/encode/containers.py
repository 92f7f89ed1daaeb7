"""Reads the sizes stated in HEIC and JPEG XL files before a decoder opens them.

Their readers allocate or decode before they reveal a size. Other defects of a container are left
to the reader.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_MAX_BOXES = 100_000
_MAX_DEPTH = 8

_JXL_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}
_JXL_SIZES = (9, 13, 18, 30)


@dataclass(frozen=True)
class JxlHeader:
    """The header of a JPEG XL codestream.

    Attributes:
        width, height: of the picture as stored.
        orientation: 1 to 8, as in EXIF; the decoder applies it.
    """

    width: int
    height: int
    orientation: int


def jxl_header(data: bytes) -> JxlHeader | None:
    """The header of a JPEG XL file, bare or in a container; None if there is none."""
    if not data.startswith(b"\xff\x0a"):
        data = next(
            (
                data[start + 4 * (kind == b"jxlp") : end]
                for kind, start, end in _boxes(data, 0, len(data))
                if kind in (b"jxlc", b"jxlp")
            ),
            b"",
        )
    if not data.startswith(b"\xff\x0a"):
        return None
    bits = _Bits(data[2:34])
    small = bits.take(1)
    height = 8 * (bits.take(5) + 1) if small else _jxl_side(bits)
    ratio = bits.take(3)
    if ratio:
        across, down = _JXL_RATIOS[ratio]
        width = height * across // down
    else:
        width = 8 * (bits.take(5) + 1) if small else _jxl_side(bits)
    all_default = bits.take(1)
    has_more = 0 if all_default else bits.take(1)
    return JxlHeader(width, height, 1 + bits.take(3) if has_more else 1)


def _jxl_side(bits: _Bits) -> int:
    return 1 + bits.take(_JXL_SIZES[bits.take(2)])


class _Bits:
    """Bits of bytes, lowest first; zeros after the end."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "little")

    def take(self, count: int) -> int:
        taken = self._value & ((1 << count) - 1)
        self._value >>= count
        return taken


def heif_pixels(data: bytes) -> int:
    """The maximum pixels decoded for a HEIF file's largest picture, including repeated tiles.

    A picture may be a grid of others, and these grids again, so a small file can ask for any
    amount of work. 0 if the file states no size.
    """
    meta = _find(data, b"meta", 0, len(data))
    if meta is None:
        return 0
    try:
        return _Heif(data, meta[0] + 4, meta[1]).most_pixels()
    except (struct.error, IndexError):
        return 0  # truncated; the reader reports it


class _Heif:
    """The parts of a `meta` box that describe a picture's structure."""

    def __init__(self, data: bytes, start: int, end: int) -> None:
        self._data = data
        self._sizes: dict[int, int] = {}
        self._parts: dict[int, list[int]] = {}
        for kind, begin, stop in _boxes(data, start, end):
            if kind == b"iprp":
                self._read_sizes(begin, stop)
            elif kind == b"iref":
                self._read_parts(begin, stop)

    def most_pixels(self) -> int:
        memo: dict[int, int] = {}
        return max((self._work(item, memo, 0) for item in self._sizes), default=0)

    def _work(self, item: int, memo: dict[int, int], depth: int) -> int:
        if item not in memo:
            memo[item] = own = self._sizes.get(item, 0)  # also stops cycles
            if depth < _MAX_DEPTH:
                parts = sum(self._work(part, memo, depth + 1) for part in self._parts.get(item, ()))
                memo[item] = max(own, parts)
        return memo[item]

    def _read_sizes(self, start: int, end: int) -> None:
        properties: list[int] = []
        box = _find(self._data, b"ipco", start, end)
        if box is not None:
            for kind, begin, _ in _boxes(self._data, *box):
                size = (
                    struct.unpack_from(">II", self._data, begin + 4) if kind == b"ispe" else (0, 0)
                )
                properties.append(size[0] * size[1])
        for kind, begin, stop in _boxes(self._data, start, end):
            if kind == b"ipma":
                self._read_associations(begin, stop, properties)

    def _read_associations(self, start: int, end: int, properties: list[int]) -> None:
        version, wide = self._data[start], self._data[start + 3] & 1
        (count,) = struct.unpack_from(">I", self._data, start + 4)
        place = start + 8
        for _ in range(min(count, _MAX_BOXES)):
            if place >= end:
                return
            item, place = self._item(place, version >= 1)
            number = self._data[place]
            place += 1
            for _ in range(number):
                index = self._data[place] & 0x7F
                if wide:
                    index = index << 8 | self._data[place + 1]
                place += 1 + wide
                if 0 < index <= len(properties):
                    self._sizes[item] = max(self._sizes.get(item, 0), properties[index - 1])

    def _read_parts(self, start: int, end: int) -> None:
        wide = self._data[start] >= 1
        for kind, begin, _ in _boxes(self._data, start + 4, end):
            if kind != b"dimg":
                continue
            item, place = self._item(begin, wide)
            (count,) = struct.unpack_from(">H", self._data, place)
            place += 2
            for _ in range(count):
                part, place = self._item(place, wide)
                self._parts.setdefault(item, []).append(part)

    def _item(self, place: int, wide: bool) -> tuple[int, int]:
        (item,) = struct.unpack_from(">I" if wide else ">H", self._data, place)
        return item, place + (4 if wide else 2)


def _find(data: bytes, wanted: bytes, start: int, end: int) -> tuple[int, int] | None:
    for kind, begin, stop in _boxes(data, start, end):
        if kind == wanted:
            return begin, stop
    return None


def _boxes(data: bytes, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Type, start and end of the content of each box, up to the first invalid one."""
    for _ in range(_MAX_BOXES):
        if start + 8 > end:
            return
        size, kind = struct.unpack_from(">I4s", data, start)
        header = 8
        if size == 1 and start + 16 <= end:
            (size,) = struct.unpack_from(">Q", data, start + 8)
            header = 16
        stop = end if size == 0 else start + size
        if stop > end or stop < start + header:
            stop = end  # truncated: use what there is
            if size and size < header:
                return
        yield kind, start + header, stop
        start = stop
