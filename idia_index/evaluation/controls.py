"""Control names for a p-value: candidates that are like the true name in what is known of names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from idia_index.prompts.names import name_key, name_keys
from idia_index.prompts.sampling import ORIGINS, load_pool
from idia_index.types import Int64

ENOUGH = 99
"""Controls that make a matching good enough; with fewer the next, looser one is tried."""

MOST_CONTROLS = 999
"""Maximum number of controls per person, so that no p-value is smaller than 0.001."""


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
class OfferedTraits:
    """The traits of n names that may be controls, as arrays.

    Attributes:
        sexes, origins: str [n], empty where not known.
        tokens: int64 [n].
        frequencies: float64 [n], infinite where not known.
    """

    sexes: NDArray[np.str_]
    origins: NDArray[np.str_]
    tokens: Int64
    frequencies: NDArray[np.float64]

    @classmethod
    def of(cls, names: Sequence[NameTraits]) -> OfferedTraits:
        """Of what is known of each name."""
        return cls(
            sexes=np.array([name.sex or "" for name in names], np.str_),
            origins=np.array([name.origin or "" for name in names], np.str_),
            tokens=np.array([name.tokens for name in names], np.int64),
            frequencies=np.array(
                [np.inf if name.frequency is None else name.frequency for name in names], np.float64
            ),
        )


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

_TESTS: dict[str, Callable[[NameTraits, OfferedTraits], NDArray[np.bool_]]] = {
    "sex": lambda own, offered: offered.sexes == (own.sex or ""),
    "tokens": lambda own, offered: offered.tokens == own.tokens,
    "tokens +-1": lambda own, offered: abs(offered.tokens - own.tokens) <= 1,
    "origin": lambda own, offered: offered.origins == (own.origin or ""),
}


@cache
def _counts(origin: str) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    """Counts of female, male and last names of an origin, by `name_key`."""
    pool = load_pool(origin)
    tables = []
    for part in (pool.firsts["f"], pool.firsts["m"], pool.lasts):
        keys = name_keys(part.names)
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
    subject: NameTraits, offered: OfferedTraits, most: int = MOST_CONTROLS
) -> Matched:
    """The controls of one subject, chosen without a look at any image.

    Exact on sex, tokens and origin where enough names are; the matching is loosened, and says so,
    until `ENOUGH` are found or nothing is left to drop. Of more than `most` the nearest in
    frequency stay, where it is known.
    """
    alike = {trait: test(subject, offered) for trait, test in _TESTS.items()}
    fits = np.ones(len(offered.tokens), np.bool_)
    by: tuple[str, ...] = ()
    for by in _RUNGS:
        fits = np.all([alike[trait] for trait in by], axis=0) if by else np.ones_like(fits)
        if np.count_nonzero(fits) >= ENOUGH:
            break
    places = np.flatnonzero(fits)
    if len(places) > most and subject.frequency is not None:
        apart = abs(offered.frequencies[places] - subject.frequency)
        places = places[np.argsort(apart, kind="stable")]
        by = (*by, "frequency")
    return Matched(np.sort(places[:most]), by)
