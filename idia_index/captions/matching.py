"""Finds which names appear in which captions of a column: candidates first, then verified.

The automaton searches for the loosest form of every name in the folded bytes of all captions, and
in the loosest form of captions where the two differ. Each find is a candidate, on which
`rules.classify` decides.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from idia_index.captions.automaton import make_automaton
from idia_index.captions.columns import arrow
from idia_index.captions.loosening import LOOSE_ASCII, loosest, search_forms
from idia_index.captions.rules import (
    SUBSTRING,
    VARIANTS,
    Forms,
    as_bytes,
    classify,
    is_unspaced,
    stands_as_written,
)
from idia_index.errors import InputError
from idia_index.support.text import shown

_Int64 = NDArray[np.int64]
_FORMS_KEPT = 100_000
_AT_ONCE = 4096  # captions
_FOLD = LOOSE_ASCII.replace(b"\n", b" ")


class Matches(NamedTuple):
    """Indices of captions in the column, name ids, and indices in `Matcher.variants`: [n] each.

    Ascending by caption, then by name; each pair once.
    """

    captions: _Int64
    names: _Int64
    variants: _Int64


class Matcher:
    """Finds names in columns of captions.

    Attributes:
        names: the names to find.
        variants: the columns that a match may be counted in.
        empty: ids of names without anything to search for.
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
            raise InputError(f"{shown(names[0])}: no name has a letter or digit; check --names")
        patterns = list(owners)
        self._lengths = np.array([len(pattern) for pattern in patterns], np.int64)
        lists = list(owners.values())
        self._begins = np.cumsum([0, *map(len, lists)])
        self._owners = np.array([number for ids in lists for number in ids], np.int64)
        self._find = make_automaton(patterns)
        self._name_forms = lru_cache(_FORMS_KEPT)(
            lambda number: (Forms(names[number]), as_bytes(names[number]))
        )

    def match(self, column: Any) -> Matches:
        """Matches of a pyarrow array of binary captions without nulls."""
        if self.rule == "paper":
            captions, names = self._pairs(*self._places(*_bytes_of(column)))
            return Matches(captions, names, np.zeros(len(names), np.int64))
        parts = [
            Matches(found.captions + start, found.names, found.variants)
            for start in range(0, len(column), _AT_ONCE)
            for found in [self._named(column[start : start + _AT_ONCE])]
        ]
        none = np.empty(0, np.int64)
        return Matches(*map(np.concatenate, zip((none, none, none), *parts, strict=True)))

    def _named(self, column: Any) -> Matches:
        """By rule `name`, for few captions at a time, so that copies fit into the CPU caches."""
        data, offsets = _bytes_of(column)
        text = bytes(data).translate(_FOLD)
        places, patterns = ([each] for each in self._places(text, offsets))
        for rows in _odd_rows(column, text, offsets):
            if len(rows):
                more, others = self._in_lines(_lines(column.take(arrow().array(rows))))
                places.append(rows[more])
                patterns.append(others)
        pairs = self._pairs(np.concatenate(places), np.concatenate(patterns))
        return self._verified(bytes(data), offsets, *pairs)

    def _places(self, data: Any, offsets: _Int64) -> tuple[_Int64, _Int64]:
        """Captions and patterns, found in the concatenated bytes of the captions."""
        patterns, ends = self._find(data)
        begins = ends - self._lengths[patterns]
        captions = np.searchsorted(offsets, begins, side="right") - 1
        within = ends <= offsets[captions + 1]  # within one caption
        return captions[within], patterns[within]

    def _in_lines(self, text: bytes) -> tuple[_Int64, _Int64]:
        """Lines and patterns of a text with one caption per line."""
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

    def _verified(self, data: bytes, offsets: _Int64, captions: _Int64, names: _Int64) -> Matches:
        variants = np.full(len(names), -1, np.int64)
        numbers = {variant: number for number, variant in enumerate(self.variants)}
        begins, ends = offsets[captions].tolist(), offsets[captions + 1].tolist()
        before, forms = -1, Forms("")
        for k, (begin, end, name) in enumerate(zip(begins, ends, names.tolist(), strict=True)):
            form, written = self._name_forms(name)
            if stands_as_written(data[begin:end], written):
                variants[k] = numbers["exact"]
                continue
            if begin != before:
                before, forms = begin, Forms(data[begin:end].decode("utf-8", "replace"))
            variant = classify(forms, form)
            if variant is not None:
                variants[k] = numbers[variant]
        kept = variants >= 0
        return Matches(captions[kept], names[kept], variants[kept])


def _bytes_of(column: Any) -> tuple[Any, _Int64]:
    """The bytes of a binary array, and the offsets of its entries, int64 [n + 1]."""
    _, ends, data = column.buffers()
    first, count = column.offset, len(column)
    offsets = np.frombuffer(ends, np.int32)[first : first + count + 1].astype(np.int64)
    whole = memoryview(data).cast("B") if data is not None else memoryview(b"")
    return whole[offsets[0] : offsets[-1]], offsets - offsets[0]


def _odd_rows(column: Any, text: bytes, offsets: _Int64) -> tuple[_Int64, _Int64]:
    """Captions whose folded bytes are not their loosest form: ASCII ones, and others."""
    pa = arrow()
    plain = pa.compute.string_is_ascii(column.view(pa.string())).to_numpy(zero_copy_only=False)
    spaces = np.frombuffer(text, np.uint8) == 0x20
    again = spaces[1:] & spaces[:-1]
    if b"%20" in text:
        again[[found.start() for found in re.finditer(b"%20", text)]] = True
    spaced = np.zeros(len(offsets) - 1, np.bool_)
    spaced[np.searchsorted(offsets, np.flatnonzero(again), side="right") - 1] = True
    return np.flatnonzero(spaced & plain), np.flatnonzero(~plain)


def _lines(column: Any) -> bytes:
    """The loosest form of captions, one per line; line breaks within become spaces."""
    pa = arrow()
    data, _ = _bytes_of(column)
    if 0x0A in np.frombuffer(data, np.uint8):
        column = pa.compute.replace_substring(column, "\n", " ")
    lists = pa.ListArray.from_arrays(pa.array([0, len(column)], pa.int32()), column)
    joined = pa.compute.binary_join(lists, b"\n")[0].as_py()
    return loosest(joined.decode("utf-8", "replace"))


_BLOCK = 1 << 16


def ambiguous(names: Sequence[str], matcher: Matcher) -> list[str]:
    """Why each name is ambiguous (one word, or part of another name); "" if it is not."""
    within = np.full(len(names), -1, np.int64)
    given = iter(names)
    for start in range(0, len(names), _BLOCK):
        block = [name.encode("utf-8") for name in islice(given, _BLOCK)]
        captions, found, _ = matcher.match(arrow().array(block, arrow().binary()))
        outer = captions + start
        within[found[outer != found]] = outer[outer != found]
    reasons = []
    for name, other in zip(names, within.tolist(), strict=True):
        why = []
        form = Forms(name).form(3)
        if " " not in form and not is_unspaced(form):
            why.append("one word")
        if other >= 0:
            why.append(f"part of {names[other]}")
        reasons.append("; ".join(why))
    return reasons
