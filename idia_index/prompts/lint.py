"""What to tell people about their names before an audit: nothing here changes a name."""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from idia_index.prompts.name_order import SUFFIX
from idia_index.prompts.packed_names import NameList, repeats
from idia_index.support.text import shown

MAX_FINDINGS = 1000
"""Findings of one kind that are listed; one more says how many there are in all."""

_BLOCK = 1 << 16

# Left out of a `loose_key`: what people write in more than one way, or leave out.
_LOOSE = dict.fromkeys(map(ord, " _-.,'`\u00b4\u2018\u2019\u02bc\u2010\u2011\u2013\u200c\u200d"))
_CAPITALS = "\u00c0-\u00de"
_LATIN = "[A-Za-z\u00c0-\u024f]"
# Accents of Latin, Greek and Cyrillic only: the marks of other scripts are vowels.
_ACCENTS = re.compile("[\u0300-\u036f]+")


@dataclass(frozen=True)
class Finding:
    """Something about a name that a person should look at.

    Attributes:
        kind: "duplicate", "lookalike", or one of `_ODDITIES`.
        value: the name.
        place: where it stands.
        message: what is the matter and what to do, in one line.
    """

    kind: str
    value: str
    place: str
    message: str


def loose_key(name: str) -> str:
    """The name without case, accents, spaces, hyphens, apostrophes, commas and full stops."""
    if name.isascii():
        return name.lower().translate(_LOOSE)
    plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", name))
    return plain.casefold().translate(_LOOSE)


def other_spellings(candidates: Iterable[str], name: str) -> Iterator[str]:
    """The candidates that are a name spelled otherwise, in their order.

    A subject of that name would compete with itself: the candidate's spelling can win its vote. A
    candidate that is equal to the name is none of them.
    """
    own = loose_key(name)
    return (each for each, key in with_loose_keys(candidates) if key == own and each != name)


def lint_names(names: NameList) -> list[Finding]:
    """Everything worth a look in a list of candidates.

    Prompts past the context length are not among it: only the model's tokens can tell.
    """
    findings = _capped("duplicate", names.duplicate_count, _duplicates(names))
    pairs = _lookalikes(names)
    shown_pairs = pairs[:MAX_FINDINGS].tolist()
    findings += _capped("lookalike", len(pairs), (_lookalike(names, *pair) for pair in shown_pairs))
    for kind, pattern, message in _ODDITIES:
        matching = _matching(names, pattern)  # one by one: all of them could fill memory
        odd = list(islice(matching, MAX_FINDINGS))
        total = len(odd) + sum(1 for _ in matching)
        findings += _capped(
            kind, total, (Finding(kind, names[i], names.place(i), message) for i in odd)
        )
    return findings


TITLE = re.compile(
    r"^(?:(?:dr|prof|mr|mrs|ms|miss|sir|dame|professor|doctor|herr|frau|mme)\.? )+",
    re.I | re.MULTILINE,
)
_ODDITIES = (
    ("title", TITLE, "begins with a title: write only the name"),
    (
        "degree",
        re.compile(r",? (?:ph\.?d|m\.?d|mba|esq)\.?$", re.I | re.MULTILINE),
        "ends in a degree: write only the name",
    ),
    (
        "several",
        re.compile(r" (?:and|und|AND|&|/|vs\.?|feat\.) | et al\b|^[^&;\n]+; ", re.MULTILINE),
        "seems to be several people: list each separately",
    ),
    (
        "order",
        re.compile(
            rf"^(?=\S*[AEIOUY{_CAPITALS}])[A-Z{_CAPITALS}'\u2019-]{{3,}}"
            rf"(?: [A-Z{_CAPITALS}]{{2,}})* [A-Z{_CAPITALS}][a-z\u00df-\u00ff]",
            re.MULTILINE,
        ),
        "seems to have the surname first, in capitals: write First Last",
    ),
    (
        "comma",
        re.compile(rf"[,\uff0c\u060c](?! {SUFFIX}$)(?!$)", re.I | re.MULTILINE),
        "contains a comma: write First Last",
    ),
    (
        "quote",
        re.compile(
            '^["`\'\u2018\u201c\u201e\xab].*["`\'\u2019\u201c\u201d\xbb]$|^"[^"\n]*$|^[^"\n]*"$',
            re.MULTILINE,
        ),
        "is in quotes: remove them",
    ),
    (
        "joiner",
        re.compile(f"{_LATIN} ?[\u200c\u200d]|[\u200c\u200d] ?{_LATIN}"),
        "contains an invisible joiner: remove it",
    ),
    (
        "encoding",
        re.compile("\xc3[\x80-\xbf\u0152-\u017e\u0192\u02c6\u02dc\u2013-\u2122]|\xc2[\xa0-\xbf]"),
        "was read in a different encoding than it was saved in: save it again as UTF-8",
    ),
    (
        "letters",
        re.compile(
            rf"(?:{_LATIN}|[\u0400-\u04ff])[\u0370-\u03ff]|[\u0370-\u03ff](?:{_LATIN})|"
            rf"{_LATIN}[\u0400-\u04ff]|[\u0400-\u04ff]{_LATIN}|[\U0001d400-\U0001d7ff]"
        ),
        "mixes letters of two scripts that look alike: retype it",
    ),
    (
        "alias",
        re.compile(r" (?:aka|a\.k\.a\.|n\u00e9e?|alias|geb\.) ", re.I),
        "seems to hold two names: write the one to test",
    ),
    (
        "number",
        re.compile(r"\d{3}|\.(?:jpe?g|png|webp|heic)\b"),
        "contains a number: write only the name",
    ),
    (
        "space",
        re.compile(r"^[a-z]+[.-][a-z]+$|^[A-Z][a-z]{2,}[A-Z][a-z]{2,}$", re.MULTILINE),
        "contains no space: write First Last if it is a full name",
    ),
    ("bracket", re.compile(r"[()\[\]]"), "contains brackets: write only the name"),
    (
        "underscore",
        re.compile("_"),
        "contains an underscore: write a space if you mean one",
    ),
    ("brace", re.compile("[{}]"), "contains a brace, which is inserted into prompts verbatim"),
    (
        "markup",
        re.compile("[&<>]"),
        "contains markup, which CLIP may rewrite: write plain text",
    ),
    (
        "stray",
        re.compile(
            r"^[#/]|^-\w|[,;=]$|[a-z]{4}\.$|^[-=*. ]+$|^[-*\u2022\u2013] |[=|\\]|%[0-9A-Fa-f]{2}|"
            r" [-\u2013\u2014] |: |[@*+^\u00a9\u00ae\u00b7\u2020\u2021\u2122]|\?|\.\.\.|\u2026|"
            r"[\u2190-\u2bff\U0001f000-\U0001faff]|"
            r"\b(?:photo|picture|foto|image|img|face|crop|dataset|thumbnail)s?\b|"
            r"^(?:nan|none|null|n/a|total|unknown)$",
            re.I | re.MULTILINE,
        ),
        "holds a comment, a mark or a missing value, or ends in a full stop: write only the name",
    ),
)


def oddities(names: Iterable[str]) -> Iterator[str]:
    """The first that is odd about each of some names, in a line."""
    for name in names:
        told = (message for _, pattern, message in _ODDITIES if pattern.search(name))
        yield from (f"{shown(name)} {message}" for message in islice(told, 1))


def _capped(kind: str, total: int, findings: Iterable[Finding]) -> list[Finding]:
    listed = list(islice(findings, MAX_FINDINGS))
    if total > len(listed):
        message = f"{total} findings of this kind in all: the first {len(listed)} are listed"
        listed.append(Finding(kind, "", "", message))
    return listed


def _duplicates(names: NameList) -> Iterator[Finding]:
    for duplicate in names.duplicates:
        yield Finding(
            "duplicate",
            duplicate.name,
            f"{names.source}, line {duplicate.line}",
            f"is the same name as {shown(duplicate.kept)} of line {duplicate.kept_line}, which "
            "was kept: remove it",
        )


def with_loose_keys(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Each name with its `loose_key`, made for many at a time: no step of it crosses a line."""
    items = iter(names)
    while block := list(islice(items, _BLOCK)):
        yield from zip(block, loose_key("\n".join(block)).split("\n"), strict=True)


def _matching(names: NameList, pattern: re.Pattern[str]) -> Iterator[int]:
    start = 0
    for block in names.blocks():
        if pattern.search("\n".join(block)):
            yield from (i for i, name in enumerate(block, start) if pattern.search(name))
        start += len(block)


def _lookalikes(names: NameList) -> NDArray[np.int64]:
    hashes = array("q", (hash(key) for _, key in with_loose_keys(names)))
    return repeats(np.frombuffer(hashes, dtype=np.int64), lambda i: loose_key(names[i]))


def _lookalike(names: NameList, later: int, first: int) -> Finding:
    return Finding(
        "lookalike",
        names[later],
        names.place(later),
        f"differs from {shown(names[first])} of {names.place(first)} in accents, hyphens, spaces "
        "or the like only: remove one if they are one person",
    )
