"""Names held as one text: ten million of them fit in memory, and what was left out is known."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import SupportsIndex, overload

import numpy as np
from numpy.typing import NDArray

MAX_DUPLICATES_LISTED = 1000
"""Duplicates that are listed one by one; all are counted, so a file of them cannot fill memory."""

BLOCK = 1 << 16


@dataclass(frozen=True)
class Duplicate:
    """A name that was removed because an earlier one has the same `name_key`.

    Attributes:
        name, line: the one removed, and its line (or item) number, from 1.
        kept, kept_line: the one kept.
    """

    name: str
    line: int
    kept: str
    kept_line: int


@dataclass(frozen=True)
class Counts:
    """What reading left out or changed: see `NameList`."""

    duplicates: tuple[Duplicate, ...]
    duplicate_count: int
    blanks: int
    respaced: int
    refused: tuple[str, ...]
    refused_count: int


@dataclass(frozen=True)
class Packed:
    """Names as UTF-8 `text`, one a line; `ends` int64 [n], where each ends; `lines` int64 [n]."""

    text: bytes
    ends: NDArray[np.int64]
    lines: NDArray[np.int64]

    def name(self, index: int) -> str:
        return self.text[self._start(index) : int(self.ends[index])].decode("utf-8")

    def run(self, start: int, stop: int) -> list[str]:
        if stop <= start:
            return []
        return self.text[self._start(start) : int(self.ends[stop - 1])].decode("utf-8").split("\n")

    def without(self, removed: NDArray[np.int64]) -> Packed:
        keep = np.ones(len(self.ends), dtype=np.bool_)
        keep[removed] = False
        lengths = np.diff(self.ends, prepend=-1)
        letters = np.frombuffer(self.text, dtype=np.uint8)[np.repeat(keep, lengths)]
        return Packed(letters.tobytes(), np.cumsum(lengths[keep]) - 1, self.lines[keep])

    def _start(self, index: int) -> int:
        return int(self.ends[index - 1]) + 1 if index else 0


class NameList(Sequence[str]):
    """Names in the order of their source, each once, made by `read_names` or `make_names`.

    Held as one UTF-8 text and two arrays and decoded where read: ten million names of 14 letters
    take 310 MB, less than half of what a list of them would need.

    Attributes:
        source: the file, or what the caller called it, as messages show it.
        duplicates: what was removed, in order; at most `MAX_DUPLICATES_LISTED` of them.
        duplicate_count: how many were removed.
        blanks: number of blank lines skipped.
        respaced: number of names whose white space was collapsed, removed ones too.
        refused: lines that cannot be used, and why, each naming file and line; as many as
            duplicates are listed.
        refused_count: how many there were.
        notes: how the source was read, where that is not obvious.
    """

    def __init__(
        self, source: str, packed: Packed, counts: Counts, notes: tuple[str, ...] = ()
    ) -> None:
        self.source = source
        self.duplicates = counts.duplicates
        self.duplicate_count = counts.duplicate_count
        self.blanks = counts.blanks
        self.respaced = counts.respaced
        self.refused = counts.refused
        self.refused_count = counts.refused_count
        self.notes = notes
        self._packed = packed
        self._counts = counts

    def without(self, places: Sequence[int]) -> NameList:
        """The list without the names at some places."""
        packed = self._packed.without(np.array(sorted(places), np.int64))
        return NameList(self.source, packed, self._counts, self.notes)

    def __repr__(self) -> str:
        return f"<NameList {self.source}: {len(self):,} names>"

    def __len__(self) -> int:
        return len(self._packed.ends)

    @overload
    def __getitem__(self, index: SupportsIndex) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> str | list[str]:
        if not isinstance(index, slice):
            return self._packed.name(range(len(self))[index])
        start, stop, step = index.indices(len(self))
        if step == 1:
            return self._packed.run(start, stop)
        return [self._packed.name(i) for i in range(start, stop, step)]

    def __iter__(self) -> Iterator[str]:
        for block in self.blocks():
            yield from block

    def blocks(self, size: int = BLOCK) -> Iterator[list[str]]:
        """The names in runs of `size`, which is much faster than one by one."""
        for start in range(0, len(self), size):
            yield self[start : start + size]

    def place(self, index: int) -> str:
        """The location of a name in its source, for messages."""
        return f"{self.source}, line {self._packed.lines[index]}"


def repeats(hashes: NDArray[np.int64], key_of: Callable[[int], str]) -> NDArray[np.int64]:
    """Positions with the key of an earlier one: int64 [p, 2], (later, first), by the later one.

    Args:
        hashes: int64 [n], a hash of each key. Equal hashes are only a hint: keys are compared.
        key_of: the key at a position, asked for where hashes are equal and nowhere else.
    """
    order = np.argsort(hashes, kind="stable")
    ranked = hashes[order]
    again = np.concatenate(([False], ranked[1:] == ranked[:-1], [False]))
    begins = ~again[:-1] & again[1:]
    places = np.flatnonzero(begins | again[:-1])
    pairs = array("q")  # a list of ten million pairs would take a gigabyte
    first: dict[str, int] = {}
    for start in range(0, len(places), BLOCK):
        block = places[start : start + BLOCK]
        for new, position in zip(begins[block].tolist(), order[block].tolist(), strict=True):
            if new:
                first = {}
            kept = first.setdefault(key_of(position), position)
            if kept != position:
                pairs.extend((position, kept))
    found = np.array(pairs, np.int64).reshape(-1, 2)
    return found[np.argsort(found[:, 0])]
