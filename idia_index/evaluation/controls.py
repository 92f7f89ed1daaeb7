"""Control names for a p-value: candidates that are like the true name in what is known of names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from idia_index.name_pool import ORIGINS, load_pool
from idia_index.names import name_key
from idia_index.records import Int64

ENOUGH = 99
"""Controls that make a matching good enough; with fewer the next, looser one is tried."""

MOST_CONTROLS = 999
"""Controls of a person at the most; so no p-value is smaller than 0.001."""


@dataclass(frozen=True)
class NameTraits:
    """What is known of a name.

    Attributes:
        sex: "f" or "m" by its first name, None where no name statistics know it.
        tokens: how many tokens (words, where the model has no tokenizer that says so).
        origin: the statistics that hold both its first and its last name, None if none does.
        frequency: log10 of the first name's times the last name's count there; None likewise.
    """

    sex: str | None
    tokens: int
    origin: str | None
    frequency: float | None


@dataclass(frozen=True)
class Matched:
    """The controls of one subject: places int64 [K] in the names offered, and what they share."""

    places: Int64
    by: tuple[str, ...]


# Tried in this order until enough names match; frequency is always the nearest there is.
_RUNGS: tuple[tuple[str, ...], ...] = (
    ("sex", "tokens", "origin"),
    ("sex", "tokens"),
    ("sex", "tokens +-1"),
    ("sex",),
    (),
)

_TESTS: dict[str, Callable[[NameTraits, NameTraits], bool]] = {
    "sex": lambda a, b: a.sex == b.sex,
    "tokens": lambda a, b: a.tokens == b.tokens,
    "tokens +-1": lambda a, b: abs(a.tokens - b.tokens) <= 1,
    "origin": lambda a, b: a.origin == b.origin,
}


@cache
def _counts(origin: str) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """Counts of female, male and last names of an origin, by `name_key`."""
    pool = load_pool(origin)
    tables = []
    for part in (pool.firsts["f"], pool.firsts["m"], pool.lasts):
        keys = map(name_key, part.names)
        tables.append(dict(zip(keys, part.weights.tolist(), strict=True)))
    return tables[0], tables[1], tables[2]


def name_traits(name: str, tokens: int) -> NameTraits:
    """What the packaged name statistics know of a name that has so many tokens."""
    words = name_key(name).split(" ")
    first, last = words[0], words[-1]
    sex: str | None = None
    for origin in ORIGINS:
        female, male, lasts = _counts(origin)
        found = "f" if first in female else "m" if first in male else None
        sex = sex or found
        if found and len(words) > 1 and last in lasts:
            count = (female if found == "f" else male)[first]
            frequency = float(np.log10(count) + np.log10(lasts[last]))
            return NameTraits(found, tokens, origin, frequency)
    return NameTraits(sex, tokens, None, None)


def match_controls(
    subject: NameTraits, offered: Sequence[NameTraits], most: int = MOST_CONTROLS
) -> Matched:
    """The controls of one subject, chosen without a look at any image.

    Exact on sex, tokens and origin where enough names are; the matching is loosened, and says so,
    until `ENOUGH` are found or nothing is left to drop. Of more than `most` the nearest in
    frequency stay, where it is known.
    """
    places: list[int] = []
    by: tuple[str, ...] = ()
    for by in _RUNGS:
        tests = [_TESTS[trait] for trait in by]
        places = [i for i, o in enumerate(offered) if all(test(subject, o) for test in tests)]
        if len(places) >= ENOUGH:
            break
    if len(places) > most and subject.frequency is not None:
        places.sort(key=lambda i: _apart(subject, offered[i]))
        by = (*by, "frequency")
    return Matched(np.array(sorted(places[:most]), np.int64), by)


def _apart(subject: NameTraits, other: NameTraits) -> float:
    if subject.frequency is None or other.frequency is None:
        return float("inf")
    return abs(subject.frequency - other.frequency)
