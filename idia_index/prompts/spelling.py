"""Whether a name is among the candidates, or nearly: by its letters, never by a face."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from idia_index.prompts.lint import TITLE, loose_key, with_loose_keys
from idia_index.prompts.names import name_key
from idia_index.support.text import listed
from idia_index.types import Int64

_MOST = 50_000_000  # pairs of names that are compared; more would take many seconds
_LONG = 12  # letters from which two edits are a misspelling; below, one is
_BINS = 32  # letters are counted in so many bins
_SHOWN = 3
# What people and programs put after a name: degrees, marks of copies, numbers, dates.
_AFTER = re.compile(
    r"(?:,? (?:ph\.?d|m\.?d|mba|esq|msc|bsc)\.?| - (?:copy|kopie|copie|copia)| \([^)]*\)|"
    r"[ _-]*\d[\dtz_ -]*)+$",
    re.I,
)


def misspelt(wanted: Sequence[str], candidates: Sequence[str]) -> dict[str, tuple[str, ...]] | None:
    """The candidates nearest in spelling to each name that is not among them, if any is near.

    One that differs in hyphens, spaces, titles or marks of a copy alone is the nearest; else they
    are all that lie at the smallest edit distance, by letters; a swap of neighbours is one
    edit. None for more names than can be compared in a few seconds.
    """
    keys = {name_key(each): each for each in candidates}
    missing = [name for name in dict.fromkeys(wanted) if name_key(name) not in keys]
    if len(missing) * len(keys) > _MOST:
        return None
    if not missing:
        return {}
    texts = list(keys)
    bags = _bags(texts)
    plain = {key: name for name, key in with_loose_keys(candidates)}
    found: dict[str, tuple[str, ...]] = {}
    for name in missing:
        near = _nearest(name_key(name), texts, bags)
        if same := plain.get(_bare(name)):
            found[name] = (same,)
        elif near:
            found[name] = tuple(keys[key] for key in near)
    return found


def _bags(texts: Sequence[str]) -> Int64:
    """How often each text has the letters of each bin, int64 [n, bins]."""
    lengths = [len(text) for text in texts]
    letters = np.frombuffer("".join(texts).encode("utf-32-le"), np.uint32) % _BINS
    places = np.repeat(np.arange(len(texts)), lengths) * _BINS + letters
    return np.bincount(places, minlength=len(texts) * _BINS).reshape(-1, _BINS)


def _nearest(key: str, texts: Sequence[str], bags: Int64) -> list[str]:
    """The texts at the smallest edit distance, in alphabetical order; none where that is far."""
    most = 2 if len(key) >= _LONG else 1
    # Letters in one text but not the other: an edit changes at most one of each.
    differ = bags - _bags([key])
    least = np.maximum(differ.clip(min=0).sum(axis=1), (-differ).clip(min=0).sum(axis=1))
    far = {
        texts[place]: edits(key, texts[place]) for place in np.flatnonzero(least <= most).tolist()
    }
    smallest = min(far.values(), default=most + 1)
    return sorted(each for each, n in far.items() if n == smallest) if smallest <= most else []


def edits(one: str, other: str) -> int:
    """Letters to insert, delete, replace or swap with their neighbour to make one the other.

    The optimal string alignment distance of Damerau and Levenshtein.
    """
    rows = [list(range(len(other) + 1))]
    for i, a in enumerate(one, 1):
        row, above = [i], rows[-1]
        for j, b in enumerate(other, 1):
            best = min(above[j] + 1, row[-1] + 1, above[j - 1] + (a != b))
            if i > 1 and j > 1 and (a, one[i - 2]) == (other[j - 2], b):
                best = min(best, rows[-2][j - 2] + 1)
            row.append(best)
        rows.append(row)
    return rows[-1][-1]


def _bare(name: str) -> str:
    """The letters of a name, without titles and what is put after it."""
    plain = _AFTER.sub("", TITLE.sub("", name.strip()))
    return loose_key(plain) or loose_key(name)


def spelling_text(name: str, near: Sequence[str], candidates: int) -> str:
    """What is said of one such name."""
    return (
        f"{name!r} is not among the model's {candidates:,} candidate names; nearly the same are: "
        f"{listed([*map(repr, near)], _SHOWN)}"
    )
