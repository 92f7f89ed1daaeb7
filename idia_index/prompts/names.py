"""Candidate names: files of them, what counts as the same name, and what to warn about.

Two names are the same if their `name_key` is equal: they differ at most in case, white space or
the composition of accents. CLIP lower-cases, collapses white space and composes accents, so both
would have one embedding and always tie, and the later could never win.
"""

from __future__ import annotations

import os
import unicodedata
from array import array
from collections.abc import Iterable
from itertools import islice

import numpy as np

from idia_index.errors import InputError
from idia_index.prompts.name_order import given_first
from idia_index.prompts.name_table import full_name, name_table
from idia_index.prompts.packed_names import (
    BLOCK,
    MAX_DUPLICATES_LISTED,
    Counts,
    Duplicate,
    NameList,
    Packed,
    repeats,
)
from idia_index.support.encodings import Encoding
from idia_index.support.tables import Row, encoding_note
from idia_index.support.text import check_text, counted, shown, shown_path
from idia_index.support.text_lines import iter_blocks

FEW_NAMES = 500  # candidates; the protocol takes 1,000, and with fewer, chance associates more


def clean_name(name: str) -> str:
    """The name with white space collapsed to single spaces; nothing else changes."""
    return " ".join(name.split())


def name_key(name: str) -> str:
    """What the same name has in common: Unicode NFC, case folded, white space collapsed."""
    return _fold(clean_name(name))


def name_keys(names: Iterable[str]) -> list[str]:
    """The `name_key` of each name, of which none is empty; of many at once it is quicker."""
    return _fold("\n".join(map(clean_name, names))).split("\n")


def each_once(names: Iterable[str]) -> list[str]:
    """The names without those that have the `name_key` of an earlier one."""
    found: dict[str, str] = {}
    for name in names:
        found.setdefault(name_key(name), name)
    return list(found.values())


def folder_to_name(folder: str) -> str:
    """The name that a folder of images is called after: `First_Last` is `First Last`.

    So is `Last,_First`. File names are read as UTF-8 where they are, whatever the locale.

    Raises `InputError` for a folder name that leaves no name or that `check_text` refuses.
    """
    folder = as_utf8(folder)
    check_text(folder, "folder of images")
    name = given_first(clean_name(folder.replace("_", " ")))
    if not name:
        raise InputError(f"folder {shown(folder)} names nobody: rename it to First_Last")
    return name


def as_utf8(text: str) -> str:
    """Text that came from the system, read as UTF-8 if its bytes are, whatever the locale."""
    try:
        return os.fsencode(text).decode("utf-8")
    except (UnicodeDecodeError, UnicodeEncodeError):
        return text


def read_names(path: str | os.PathLike[str]) -> NameList:
    """Names from a text file, one per line, or from a table with a column of names, in file order.

    Blank lines are skipped and counted, white space is collapsed and counted, `Last, First` is
    read as `First Last`, and a name with the same `name_key` as an earlier one is removed and
    listed; the first spelling is kept. An unusable line is listed instead of being an error.

    Raises `InputError` for a file that `iter_blocks` refuses, that does not look like a list of
    names, or that holds no name.
    """
    source = shown_path(path)
    builder = _Builder()
    if (found := name_table(path, builder.refuse)) is not None:
        table, note = found
        for row in table.rows():
            builder.add_row(row, full_name(row.cells, table.columns))
        return builder.finish(source, (note,))
    encoding = Encoding()
    for block in iter_blocks(path, encoding=encoding, refuse=builder.refuse_line):
        builder.add(block)
    return builder.finish(source, encoding_note(encoding, source))


def make_names(names: Iterable[str], source: str = "names") -> NameList:
    """A `NameList` of names from another source, which `source` names in messages.

    Raises `InputError` for a name that is empty or that `check_text` refuses, or if there are none.
    """
    if isinstance(names, str):
        raise InputError(f"{source}: {shown(names)} is a single string; pass a list of names")
    builder = _Builder()
    items = iter(names)
    seen = 0
    while block := list(islice(items, BLOCK)):
        for number, name in enumerate(block, seen + 1):
            check_text(name, f"{source}, line {number}")
            if not name or name.isspace():
                raise InputError(f"{source}, line {number} is empty: give a name")
        builder.add(block)
        seen += len(block)
    return builder.finish(source)


class _Builder:
    """Collects lines into a `NameList`; memory is that of the list and of one hash a name."""

    def __init__(self) -> None:
        self._text = bytearray()
        self._hashes = array("q")
        self._lines = array("q")
        self._line = 0
        self._blanks = 0
        self._respaced = 0
        self._turned = 0
        self._turned_example = ""
        self._refused: list[tuple[int, str]] = []
        self._refused_count = 0

    def __len__(self) -> int:
        return len(self._hashes)

    def refuse(self, number: int, told: str) -> None:
        """Notes a line that cannot be used."""
        self._refused_count += 1
        if len(self._refused) < MAX_DUPLICATES_LISTED:
            self._refused.append((number, told))

    def refuse_line(self, number: int, told: str) -> None:
        """The same of a line that comes as a blank one."""
        self.refuse(number, told)
        self._blanks -= 1

    def add_row(self, row: Row, name: str) -> None:
        """Adds the name of a table's row."""
        if row.problem:
            self.refuse(row.line, row.problem)
            return
        self._line = row.line - 1
        self.add([name])

    def add(self, block: list[str]) -> None:
        """Adds a run of lines, blank ones too."""
        names = [clean_name(line) for line in block]
        self._respaced += sum(
            1 for line, name in zip(block, names, strict=True) if name and line != name
        )
        if any("," in line for line in block):
            names = [self._turn(name) for name in names]
        full = [(number, name) for number, name in enumerate(names, self._line + 1) if name]
        self._line += len(block)
        self._blanks += len(block) - len(full)
        if full:
            joined = "\n".join(name for _, name in full)
            self._text += joined.encode("utf-8") + b"\n"
            self._hashes.extend(map(hash, _fold(joined).split("\n")))
            self._lines.extend(number for number, _ in full)

    def finish(self, source: str, notes: tuple[str, ...] = ()) -> NameList:
        """The list, without the names that repeat an earlier one.

        Raises InputError where there is none.
        """
        if not len(self):
            if self._refused:
                raise InputError(f"{source} holds no usable name: {min(self._refused)[1]}")
            raise InputError(f"{source} holds no name: write one per line")
        text = bytes(self._text)
        self._text.clear()
        ends = np.flatnonzero(np.frombuffer(text, dtype=np.uint8) == 0x0A)
        packed = Packed(text, ends, np.frombuffer(self._lines, dtype=np.int64))
        hashes = np.frombuffer(self._hashes, dtype=np.int64)
        pairs = repeats(hashes, lambda index: _fold(packed.name(index)))
        lines = self._lines
        listed = tuple(
            Duplicate(packed.name(later), lines[later], packed.name(first), lines[first])
            for later, first in pairs[:MAX_DUPLICATES_LISTED].tolist()
        )
        refused = tuple(told for _, told in sorted(self._refused))
        counts = Counts(listed, len(pairs), self._blanks, self._respaced,
                         refused, self._refused_count)  # fmt: skip
        if len(pairs):
            packed = packed.without(pairs[:, 0])
        notes = (*notes, *self._turned_note(source), *_unspaced_note(source, text))
        return NameList(source, packed, counts, notes)

    def _turn(self, name: str) -> str:
        turned = given_first(name)
        if turned != name:
            self._turned += 1
            self._turned_example = self._turned_example or f"{name!r} is {turned!r}"
        return turned

    def _turned_note(self, source: str) -> tuple[str, ...]:
        if not self._turned:
            return ()
        return (
            f"{source}: {counted(self._turned, 'name')} written Last, First read as First Last "
            f"({self._turned_example})",
        )


def _unspaced_note(source: str, text: bytes) -> tuple[str, ...]:
    """What to say of Latin names of one word each, such as janedoe and jane-doe."""
    if b" " in text or not text.isascii() or text.count(b"\n") < 3:
        return ()
    return (
        f"{source}: no name contains a space; if these are first and last names, separate them, as "
        "in Jane Doe",
    )


def _fold(text: str) -> str:
    # Unicode's canonical caseless match; it maps no character to or from a newline or a space,
    # so that a run of lines can be folded at once.
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())
