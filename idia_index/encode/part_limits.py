"""Refuses small files that would keep a decoder busy, before one opens them.

Pixels and bytes bound the work of C code. Readers' Python code takes a microsecond for every part
of a file, and sometimes time quadratic in the number of parts.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import Any, BinaryIO, cast

from idia_index.encode.formats import Kind
from idia_index.errors import RefusedError

MAX_SCANS = 100  # a progressive JPEG has about ten; each is a pass over the pixels
MAX_READS = 1_000_000
MAX_STRIPS = 100_000
MAX_EXIF = 100  # Pillow concatenates them again each time
MAX_COMMENTS = 1_000  # of a text-format picture; Pillow removes them anew each time
MAX_TEXT = 16 << 20  # a third of a second per MiB

_REMEDY = "remove it, or save it again as PNG or JPEG"
_BLOCK = 1 << 20
_MARKER = re.compile(rb"\xff+[\x02-\xcf\xd8-\xfe]")  # neither data nor restart markers
_SCAN, _END = 0xDA, 0xD9
_STRIPS = (273, 324)  # TIFF tags: offsets of strips, of tiles


def check_parts(file: BinaryIO, kind: Kind, name: str) -> None:
    """Raises RefusedError for a file of many parts, made to keep a reader busy."""
    if kind.format == "JPEG":
        # Within a scan 0xFF is always followed by other bytes, so these start one. They may also
        # occur by chance in a video after the picture, which only parsing can tell.
        scans, exif = _counted(file, b"\xff\xda", b"Exif\0\0")
        if scans > MAX_SCANS or exif > MAX_EXIF:
            scans, exif = _jpeg_parts(file)
        _refuse(scans > MAX_SCANS, f"{name}: a JPEG of more than {MAX_SCANS} scans")
        _refuse(exif > MAX_EXIF, f"{name}: a JPEG of more than {MAX_EXIF} blocks of EXIF")
    elif kind.format == "TIFF":
        strips = _tiff_strips(file)
        _refuse(strips > MAX_STRIPS, f"{name}: a TIFF of {strips:,} strips")
    elif kind.format == "PPM" and file.read(2) in (b"P1", b"P2", b"P3"):
        (comments,) = _counted(file, b"#")
        _refuse(comments > MAX_COMMENTS, f"{name}: a picture with {comments:,} comments")
        _refuse(file.seek(0, 2) > MAX_TEXT, f"{name}: a picture written as text")
    file.seek(0)


def metered(file: BinaryIO, name: str) -> BinaryIO:
    """Wraps a file to refuse more than `MAX_READS` reads."""
    return cast(BinaryIO, _Metered(file, name))


class _Metered:
    def __init__(self, file: BinaryIO, name: str) -> None:
        self._read: Callable[..., bytes] = file.read
        self._file = file
        self._name = name
        self._left = MAX_READS

    def read(self, *size: int) -> bytes:
        self._left -= 1
        _refuse(self._left < 0, f"{self._name}: more than {MAX_READS:,} parts")
        return self._read(*size)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def _refuse(wrong: bool, told: str) -> None:
    if wrong:
        raise RefusedError(f"{told}, which keeps a reader busy; {_REMEDY}")


def _counted(file: BinaryIO, *words: bytes) -> list[int]:
    file.seek(0)
    counts = [0] * len(words)
    while block := file.read(_BLOCK):
        counts = [count + block.count(word) for count, word in zip(counts, words, strict=True)]
    return counts


def _jpeg_parts(file: BinaryIO) -> tuple[int, int]:
    """Number of scans and EXIF blocks of a JPEG's first picture, as its decoder finds them."""
    file.seek(0)
    data = file.read()
    place, scans, exif = 2, 0, 0
    while (found := _MARKER.search(data, place)) and scans <= MAX_SCANS and exif <= MAX_EXIF:
        marker, place = data[found.end() - 1], found.end()
        if marker == _END:
            break
        scans += marker == _SCAN
        exif += data.startswith(b"Exif\0\0", place + 2)
        place += int.from_bytes(data[place : place + 2], "big")
    return scans, exif


def _tiff_strips(file: BinaryIO) -> int:
    """Strips of the first picture; 0 if its directory is truncated, which the reader reports."""
    file.seek(0)
    head = file.read(16)
    order = "<" if head[:2] == b"II" else ">"
    big = head[2:4] in (b"+\0", b"\0+")
    number, entry = ("Q", f"{order}HHQ8x") if big else ("H", f"{order}HHL4x")
    try:
        (offset,) = struct.unpack_from(f"{order}Q", head, 8) if big else struct.unpack_from(
            f"{order}L", head, 4
        )  # fmt: skip
        file.seek(offset)
        (count,) = struct.unpack(order + number, file.read(struct.calcsize(order + number)))
        directory = file.read(min(count, 1 << 16) * struct.calcsize(entry))
        entries = struct.iter_unpack(entry, directory)
        return max((found for tag, _, found in entries if tag in _STRIPS), default=0)
    except (struct.error, ValueError, OSError):
        return 0
