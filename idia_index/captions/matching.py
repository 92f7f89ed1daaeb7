"""Captions as a column -> which names stand in which of them: candidates first, then each verified.

The automaton looks for the loosest form of every name in the loosest form of many captions at
once; what it finds is a candidate, and `rules.classify` decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from idia_index.captions.automaton import make_automaton
from idia_index.captions.loosening import loosest, loosest_ascii, search_forms
from idia_index.captions.rules import SUBSTRING, VARIANTS, Forms, classify
from idia_index.errors import InputError
from idia_index.support.text import shown

_Int64 = NDArray[np.int64]
_FORMS_KEPT = 100_000


class Matches(NamedTuple):
    """Places of captions in the column, name ids, and numbers in `Matcher.variants`: [n] each.

    Ascending by caption, then by name; each pair once.
    """

    captions: _Int64
    names: _Int64
    variants: _Int64


class Matcher:
    """Finds names in columns of captions.

    Attributes:
        names: what is looked for.
        variants: the columns that a match may be counted in.
        empty: ids of names that leave nothing to look for.
    """

    def __init__(self, names: Sequence[str], rule: str) -> None:
        self.rule = rule
        self.variants = tuple(VARIANTS) if rule == "name" else (SUBSTRING,)
        self.names = names
        owners: dict[bytes, list[int]] = {}
        self.empty = []
        for number, name in enumerate(names):
            forms = search_forms(name) if rule == "name" else [name.encode("utf-8")]
            if not forms:
                self.empty.append(number)
            for form in dict.fromkeys(forms):
                owners.setdefault(form, []).append(number)
        if not owners:
            raise InputError(f"{shown(names[0])}: no name has a letter to look for; check --names")
        patterns = list(owners)
        self._lengths = np.array([len(pattern) for pattern in patterns], np.int64)
        lists = list(owners.values())
        self._begins = np.cumsum([0, *map(len, lists)])
        self._owners = np.array([number for ids in lists for number in ids], np.int64)
        self._find = make_automaton(patterns)
        self._name_forms = lru_cache(_FORMS_KEPT)(lambda number: Forms(names[number]))

    def match(self, column: Any) -> Matches:
        """Matches of a pyarrow array of binary captions without nulls."""
        if self.rule == "paper":
            captions, names = self._pairs(*self._places(column))
            return Matches(captions, names, np.zeros(len(names), np.int64))
        places, patterns = self._in_lines(_ascii_lines(column))
        high = _rows_beyond_ascii(column)
        if len(high):
            more, others = self._in_lines(_lines(column.take(_arrow(high))))
            places = np.concatenate((places, high[more]))
            patterns = np.concatenate((patterns, others))
        return self._verified(column, *self._pairs(places, patterns))

    def _places(self, column: Any) -> tuple[_Int64, _Int64]:
        """Captions and patterns, found in the column's own bytes: nothing is copied."""
        data, offsets = _bytes_of(column)
        patterns, ends = self._find(data)
        begins = ends - self._lengths[patterns]
        captions = np.searchsorted(offsets, begins, side="right") - 1
        within = ends <= offsets[captions + 1]  # not over the end of its caption
        return captions[within], patterns[within]

    def _in_lines(self, text: bytes) -> tuple[_Int64, _Int64]:
        """Lines and patterns of a text of one caption a line."""
        patterns, ends = self._find(text)
        if not len(ends):
            return ends, patterns
        breaks = np.flatnonzero(np.frombuffer(text, np.uint8) == 0x0A)
        return np.searchsorted(breaks, ends - 1), patterns

    def _pairs(self, captions: _Int64, patterns: _Int64) -> tuple[_Int64, _Int64]:
        """Captions and names, each pair once, ascending."""
        counts = self._begins[patterns + 1] - self._begins[patterns]
        first = np.repeat(self._begins[patterns] - np.cumsum(counts) + counts, counts)
        names = self._owners[first + np.arange(len(first))]
        both = np.unique(np.repeat(captions, counts) * len(self.names) + names)
        return np.divmod(both, len(self.names))

    def _verified(self, column: Any, captions: _Int64, names: _Int64) -> Matches:
        kept: list[tuple[int, int, int]] = []
        numbers = {variant: number for number, variant in enumerate(self.variants)}
        before, forms = -1, Forms("")
        for caption, name in zip(captions.tolist(), names.tolist(), strict=True):
            if caption != before:
                text = column[caption].as_py().decode("utf-8", "replace")
                before, forms = caption, Forms(text)
            variant = classify(forms, self._name_forms(name))
            if variant is not None:
                kept.append((caption, name, numbers[variant]))
        table = np.array(kept, np.int64).reshape(-1, 3)
        return Matches(table[:, 0], table[:, 1], table[:, 2])


def _arrow(rows: _Int64) -> Any:
    import pyarrow as pa

    return pa.array(rows)


def _bytes_of(column: Any) -> tuple[Any, _Int64]:
    """The bytes of a binary array, and int64 [n + 1], where each entry begins and the last ends."""
    _, ends, data = column.buffers()
    first, count = column.offset, len(column)
    offsets = np.frombuffer(ends, np.int32)[first : first + count + 1].astype(np.int64)
    whole = memoryview(data).cast("B") if data is not None else memoryview(b"")
    return whole[offsets[0] : offsets[-1]], offsets - offsets[0]


def _rows_beyond_ascii(column: Any) -> _Int64:
    data, offsets = _bytes_of(column)
    places = np.flatnonzero(np.frombuffer(data, np.int8) < 0)
    beyond = np.zeros(len(column), np.bool_)
    beyond[np.searchsorted(offsets, places, side="right") - 1] = True
    return np.flatnonzero(beyond)


def _joined(column: Any) -> bytes:
    """The captions, one a line; a line break within one becomes a space."""
    import pyarrow as pa
    import pyarrow.compute as pc

    data, _ = _bytes_of(column)
    if 0x0A in np.frombuffer(data, np.uint8):
        column = pc.replace_substring(column, "\n", " ")
    lists = pa.ListArray.from_arrays(pa.array([0, len(column)], pa.int32()), column)
    joined: bytes = pc.binary_join(lists, b"\n")[0].as_py()
    return joined


def _ascii_lines(column: Any) -> bytes:
    return loosest_ascii(_joined(column))


def _lines(column: Any) -> bytes:
    return loosest(_joined(column).decode("utf-8", "replace"))
