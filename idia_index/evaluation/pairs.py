"""A share of pairs of people and names, of which neither side's pairs are independent."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from idia_index.evaluation.measured import Float64
from idia_index.evaluation.records.rates import Share
from idia_index.support.intervals import clopper_pearson, student_quantile

Bool = NDArray[np.bool_]


def of_one_sex(people: Sequence[str | None], names: Sequence[str | None]) -> Bool:
    """Pairs whose person and name are of the same sex, bool [P, N]; unknown is one of its own."""
    return np.array([[person == name for name in names] for person in people], np.bool_)


def share_of_crossed_pairs(hits: Bool, counted: Bool) -> Share:
    """The share of hits among counted pairs, bool [P, N] each, with a two-sided 95 % interval.

    Both people and names are taken for samples. The variance of the share is that of sums over
    people plus that of sums over names less that over pairs (Cameron, Gelbach & Miller, "Robust
    inference with multiway clustering", 2011), and never less than the larger of the two; the
    interval is Student's on the scale of the logit, with one degree of freedom less than there
    are people or names, whichever are fewer. Without a hit the upper limit is that of as many
    independent trials.
    """
    weight, here = counted.astype(np.float64), (hits & counted).astype(np.float64)
    total, found = weight.sum(), here.sum()
    if not total:
        return Share(0, 0, None, None)
    rate = found / total
    sizes = [int(counted.any(axis=1).sum()), int(counted.any(axis=0).sum())]
    bounds = _interval((here - rate * weight) / total, float(rate), sizes)
    return Share(int(found), int(total), float(rate), bounds)


def _interval(residuals: Float64, rate: float, sizes: list[int]) -> tuple[float, float]:
    """Of residuals [P, N] as shares of all pairs, and how many people and names count."""
    fewest = min(sizes)
    if rate in (0, 1) or fewest < 2:
        # Where all pairs are alike, or of one person or name, the variance says nothing.
        limits = [clopper_pearson(hits, fewest) for hits in _around(rate * fewest)]
        return min(low for low, _ in limits), max(high for _, high in limits)
    sides = [
        size / (size - 1) * float((residuals.sum(axis=axis) ** 2).sum())
        for axis, size in ((1, sizes[0]), (0, sizes[1]))
    ]
    both = max(sum(sides) - float((residuals**2).sum()), *sides)
    error = math.sqrt(both) / (rate * (1 - rate))
    centre, reach = math.log(rate / (1 - rate)), student_quantile(fewest - 1, 0.025) * error
    return _share(centre - reach), _share(centre + reach)


def _around(hits: float) -> tuple[int, int]:
    return math.floor(hits), math.ceil(hits)


def _share(logit: float) -> float:
    return 1 / (1 + math.exp(-logit)) if logit > -700 else 0.0
