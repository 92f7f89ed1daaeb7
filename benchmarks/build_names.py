"""Two sorts of about 1,000 candidate names, which share prefixes to different degrees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from idia_index.pipelines.studies import read_recipe
from idia_index.prompts.names import name_key
from idia_index.prompts.sampling import Draw, NamePool, WeightedNames, draw_names, load_pool

CANDIDATES = 1000
COMMON = 1000
CROSS = 32


def notebook_names() -> list[str]:
    """As the published notebook forms them.

    The 548 people under test, and names drawn uniformly from the 1,000 most common first names
    of each sex and the 1,000 most common last names, as many female as male, to 1,000 in all.
    """
    people = [person.name for person in read_recipe("laion400m").people]
    excluded = tuple(sorted({name_key(name) for name in people}))
    drawn = draw_names(_common(COMMON), CANDIDATES - len(people), Draw(0, False, excluded))
    return people + drawn.names()


def cross_names() -> list[str]:
    """Every pair of the 32 most common first names, 16 of each sex, and 32 last names."""
    pool = _common(CROSS)
    firsts = [name for sex in "fm" for name in pool.firsts[sex].names[: CROSS // 2]]
    return [f"{first} {last}" for last in pool.lasts.names for first in firsts]


def _common(count: int) -> NamePool:
    """The US pool cut to the most common first names of each sex and last names."""
    pool = load_pool("us")
    firsts = {sex: _top(names, count) for sex, names in pool.firsts.items()}
    return replace(pool, firsts=firsts, lasts=_top(pool.lasts, count))


def _top(names: WeightedNames, count: int) -> WeightedNames:
    order = np.argsort(-names.weights, kind="stable")[:count]
    return WeightedNames(tuple(names.names[i] for i in order), names.weights[order])
