"""Protocol `jair2024`'s other candidates: pairs of common first names and surnames.

Hintersdorf et al. drew, for each sex equally many, from all pairs of the 1,000 most common first
names of that sex and the 1,000 most common surnames, with pandas' `DataFrameGroupBy.sample` and the
seed 42. pandas calls `numpy.random.RandomState(seed).choice` for one group after the other, the
groups sorted, and so does this module: the same lists give the same names, in the same order.
NumPy keeps the streams of `RandomState` for good.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from idia_index.errors import InputError
from idia_index.prompts.names import name_key
from idia_index.prompts.sampling import load_pool

ALGORITHM = "jair2024 names/1"
PAPER_SEED = 42
PAPER_TOP = 1000
SEXES = ("f", "m")
"""In the order in which they are drawn: that of pandas' sorted groups."""


@dataclass(frozen=True)
class CommonNames:
    """The most common names, most common first.

    Attributes:
        firsts: first names by sex, "f" and "m".
        lasts: surnames.
        sources: what each list is, in JSON values, by "first_names" and "surnames".
    """

    firsts: Mapping[str, tuple[str, ...]]
    lasts: tuple[str, ...]
    sources: Mapping[str, Mapping[str, Any]]

    def pairs(self, sex: str) -> int:
        """Number of full names of a sex."""
        return len(self.firsts[sex]) * len(self.lasts)


@dataclass(frozen=True)
class CommonSample:
    """Drawn names.

    Attributes:
        drawn: every drawn name, female names first, in the order of drawing.
        names: those that are further candidates.
        repeated: the others, which are a person's name or were drawn before.
        recipe: what replays the draw, for a manifest, in JSON values.
    """

    drawn: tuple[str, ...]
    names: tuple[str, ...]
    repeated: tuple[str, ...]
    recipe: Mapping[str, Any]


def packaged_names(origin: str = "us", top: int = PAPER_TOP) -> CommonNames:
    """The most common names of the package's statistics.

    Raises:
        InputError: no such origin, or fewer names than asked for.
    """
    pool = load_pool(origin)
    names = CommonNames(
        {sex: pool.firsts[sex].names[:top] for sex in SEXES},
        pool.lasts.names[:top],
        {
            what: {"list": pool.id, "title": pool.title, "kept": top}
            for what in ("first_names", "surnames")
        },
    )
    check_lengths(names, top, f"origin {origin!r}")
    return names


def check_lengths(names: CommonNames, top: int, source: str) -> None:
    """Raises InputError where a list holds fewer than `top` names."""
    lists = [(f"first names of sex {sex!r}", names.firsts[sex]) for sex in SEXES]
    for what, found in (*lists, ("surnames", names.lasts)):
        if len(found) < top:
            raise InputError(
                f"{source}: {len(found)} {what}, fewer than {top}: ask for fewer with --top"
            )


def fill_count(total: int, people: int) -> int:
    """How many names of each sex are drawn beside so many people, by the paper's rule."""
    return max(int((total - people) / 2), 0)


def draw_common(
    names: CommonNames, each: int, seed: int = PAPER_SEED, *, people: Sequence[str] = ()
) -> CommonSample:
    """Draws `each` different pairs of each sex.

    Args:
        names: the lists.
        each: how many of each sex.
        seed: of `numpy.random.RandomState`.
        people: other candidates. A pair that is one of their names is drawn and not kept, since
            it would be one candidate twice; the paper kept it.

    Raises:
        InputError: more names than there are pairs, or a seed that NumPy does not take.
    """
    for sex in SEXES:
        if each > names.pairs(sex):
            raise InputError(
                f"{each} names of sex {sex!r}: the lists make {names.pairs(sex)}: ask for fewer"
            )
    if not 0 <= seed < 2**32:
        raise InputError(f"seed {seed}: give one of 0 to {2**32 - 1:,}")
    state = np.random.RandomState(seed)
    drawn = []
    for sex in SEXES:
        places = state.choice(names.pairs(sex), size=each, replace=False)
        firsts, lasts = np.divmod(places, len(names.lasts))
        drawn += [
            f"{names.firsts[sex][first]} {names.lasts[last]}"
            for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True)
        ]
    kept, repeated = _each_once(drawn, people)
    recipe = {
        "algorithm": ALGORITHM,
        "n": len(drawn),
        "seed": seed,
        "repeated": repeated,
        "lists": {what: dict(source) for what, source in names.sources.items()},
        "names_sha256": hashlib.sha256("".join(f"{n}\n" for n in kept).encode("utf-8")).hexdigest(),
    }
    return CommonSample(tuple(drawn), tuple(kept), tuple(repeated), recipe)


def _each_once(drawn: Sequence[str], people: Sequence[str]) -> tuple[list[str], list[str]]:
    seen = {name_key(name) for name in people}
    kept: list[str] = []
    repeated: list[str] = []
    for name in drawn:
        key = name_key(name)
        (repeated if key in seen else kept).append(name)
        seen.add(key)
    return kept, repeated
