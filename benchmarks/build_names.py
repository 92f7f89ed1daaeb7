"""Two sorts of about 1,000 candidate names, which share prefixes to different degrees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from idia_index.pipelines.studies.definition import read_study
from idia_index.pipelines.studies.pool import paper_pool
from idia_index.prompts.sampling import NamePool, WeightedNames, load_pool

COMMON = 1000
CROSS = 32


def notebook_names() -> list[str]:
    """Those of the LAION-400M study: 548 people, and pairs of common first names and surnames."""
    return list(paper_pool(read_study("laion400m")).names)


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
