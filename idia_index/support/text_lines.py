"""The one reader of text files with one entry per line: bounded memory, nothing dropped silently.

Names and templates come from other people's files. What would make an entry something other
than what a person sees in an editor (control characters, invisible format characters, broken
encodings) is refused with the file and the line.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeAlias

from idia_index.errors import InputError
from idia_index.support.encodings import Encoding
from idia_index.support.remote import RemotePath, open_remote
from idia_index.support.text import FORBIDDEN, check_text, shown_path

MAX_LINE_BYTES = 4096
"""Longest line that is read, in UTF-8: far past any context length, and short enough to hold."""

MAX_WHOLE = 64 << 20
"""Most characters of a file that is read whole: of templates or subjects, not of candidates."""

CHUNK_BYTES = 1 << 20

# (line number, what is wrong with it)
Refuse: TypeAlias = Callable[[int, str], None]

# For ASCII text deleting what is allowed is several times faster than searching for what is not.
_ALLOWED_ASCII = bytes([0x0A, *range(0x20, 0x7F)])


@dataclass(frozen=True)
class Lines:
    """The entries of a file.

    Attributes:
        texts: the lines that are not blank, in file order, as they are but for their ends.
        numbers: the line number of each, counted from 1.
        blanks: number of blank lines, which are skipped.
        encoding: what the file is written in.
    """

    texts: tuple[str, ...]
    numbers: tuple[int, ...]
    blanks: int
    encoding: Encoding


def read_lines(
    path: str | os.PathLike[str],
    *,
    tabs: bool = False,
    refuse: Refuse | None = None,
) -> Lines:
    """Reads a file of at most `MAX_WHOLE` characters; arguments and errors as of `iter_blocks`."""
    texts: list[str] = []
    numbers: list[int] = []
    seen = size = 0
    encoding = Encoding()
    for block in iter_blocks(path, tabs=tabs, encoding=encoding, refuse=refuse):
        for number, text in enumerate(block, seen + 1):
            if text and not text.isspace():
                texts.append(text)
                numbers.append(number)
        seen += len(block)
        size += sum(map(len, block))
        if size > MAX_WHOLE:
            raise InputError(
                f"{shown_path(path)}: more than {MAX_WHOLE:,} characters, too long for a list of "
                "templates or subjects: use a smaller file"
            )
    return Lines(tuple(texts), tuple(numbers), seen - len(texts), encoding)


def iter_blocks(
    path: str | os.PathLike[str],
    *,
    tabs: bool = False,
    encoding: Encoding | None = None,
    refuse: Refuse | None = None,
) -> Iterator[list[str]]:
    """All lines of a file in order, blank ones too, in runs of about 1 MiB.

    A byte order mark and the line ends (LF or CRLF) are not part of the lines. The k-th line of
    all runs together is line k of the file. Memory does not grow with the file, nor with a line.

    Args:
        tabs: whether lines may hold tabs, as those of tables do.
        encoding: what is told which encoding the file was read in.
        refuse: what is told of a line that cannot be used, which is then read as a blank one;
            without it such a line is an error.

    Raises:
        InputError: the file is missing, unreadable, no regular file or no text, is in no encoding
            that can be told, or has a line that is too long or that `check_text` refuses. The
            message names the line.
    """
    name = shown_path(path)
    encoding = encoding or Encoding()
    limit = _Limit(tabs, refuse)
    with _Opened(path) as file:
        rest, number, offset, begun = b"", 1, 0, False
        while chunk := encoding.utf8(file.read(CHUNK_BYTES), name, first=not begun):
            if not begun:
                begun, offset = True, encoding.skipped
            rest += chunk
            cut = rest.rfind(b"\n") + 1
            block, rest = rest[:cut], rest[cut:]
            if block:
                lines = _parse(_Block(name, block, number, offset), limit, encoding)
                yield lines
                number += len(lines)
                offset += cut
            if len(rest) > MAX_LINE_BYTES:
                if refuse is None:
                    raise InputError(_too_long_message(name, number))
                # Enough to be refused as too long when its end comes; the rest of it is not kept.
                rest = rest[: MAX_LINE_BYTES + 1]
        if rest:
            # A carriage return that ends the file is one by itself: it has no newline to go with.
            end = b"\r\n" if rest.endswith(b"\r") else b"\n"
            yield _parse(_Block(name, rest + end, number, offset), limit, encoding)


@dataclass(frozen=True)
class _Limit:
    """What lines may be."""

    tabs: bool
    refuse: Refuse | None


@dataclass(frozen=True)
class _Block:
    """Whole lines of a file: `data` ends in a newline, and starts at `number` and `offset`."""

    name: str
    data: bytes
    number: int
    offset: int


_MOST_REMOTE = 1 << 30  # bytes of a file of a store, which is fetched whole


class _Opened:
    """A regular file, or one of a store, opened for reading; OSErrors become `InputError`."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path
        try:
            if isinstance(path, RemotePath):
                self._file: BinaryIO = open_remote(path, _MOST_REMOTE)
                return
            # Asked before opening: opening a pipe that nobody writes to would wait for ever.
            mode = Path(path).stat().st_mode
            if stat.S_ISDIR(mode):
                raise InputError(f"{shown_path(path)} is a folder: pass a text file")
            if not stat.S_ISREG(mode):
                raise InputError(
                    f"{shown_path(path)} is not a regular file: save its text to a file first"
                )
            self._file = Path(path).open("rb")  # noqa: SIM115 (this class is the context)
        except (OSError, ValueError) as error:
            raise InputError(self._failure("open", error)) from error

    def __enter__(self) -> _Opened:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, size: int) -> bytes:
        try:
            return self._file.read(size)
        except OSError as error:
            raise InputError(self._failure("read", error)) from error

    def _failure(self, verb: str, error: OSError | ValueError) -> str:
        reason = getattr(error, "strerror", None) or str(error)
        return (
            f"cannot {verb} {shown_path(self._path)}: {reason}; check the path and its permissions"
        )


def _parse(block: _Block, limit: _Limit, encoding: Encoding) -> list[str]:
    """The lines of a block, checked."""
    raw = block.data.split(b"\n")
    raw.pop()
    data = block.data
    if max(map(len, raw)) > MAX_LINE_BYTES:
        data = b"\n".join([*_short_enough(raw, block, limit), b""])
    try:
        text = encoding.text(data, block.number)
    except UnicodeDecodeError as error:
        raise InputError(_not_utf8_message(block, error)) from error
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    lines = text.split("\n")
    lines.pop()
    return _checked(text.replace("\t", " ") if limit.tabs else text, lines, block, limit)


def _short_enough(raw: list[bytes], block: _Block, limit: _Limit) -> Iterator[bytes]:
    for number, line in enumerate(raw, block.number):
        if len(line) <= MAX_LINE_BYTES + line.endswith(b"\r"):
            yield line
            continue
        told = _too_long_message(block.name, number)
        if limit.refuse is None:
            raise InputError(told)
        limit.refuse(number, told)
        yield b""


def _checked(text: str, lines: list[str], block: _Block, limit: _Limit) -> list[str]:
    """Finds out for the block as a whole, which is fast, and for each line only where needed."""
    if text.isascii():
        suspect = bool(text.encode("ascii").translate(None, _ALLOWED_ASCII))
    else:
        suspect = FORBIDDEN.search(text) is not None
    for place, line in enumerate(lines if suspect else ()):
        number = block.number + place
        try:
            check_text(
                line.replace("\t", " ") if limit.tabs else line, f"{block.name}, line {number}"
            )
        except InputError as error:
            if limit.refuse is None:
                raise
            limit.refuse(number, str(error))
            lines[place] = ""
    return lines


def _too_long_message(name: str, number: int) -> str:
    return (
        f"{name}, line {number}: the line is longer than {MAX_LINE_BYTES} bytes: "
        "write one entry per line and shorten it"
    )


def _not_utf8_message(block: _Block, error: UnicodeDecodeError) -> str:
    number = block.number + block.data.count(b"\n", 0, error.start)
    byte = block.data[error.start]
    return (
        f"{block.name}, line {number}: byte 0x{byte:02X} at offset {block.offset + error.start} "
        "is not UTF-8: save the file as UTF-8"
    )
