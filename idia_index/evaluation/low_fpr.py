"""TPR at a low FPR, where the number of non-members supports such a claim, and how sure it is.

The threshold is estimated from a handful of non-members, so an interval that takes it for given
covers 53 to 77 % in place of 95 %. This one does not: of n non-members, the number that reach the
true threshold is binomial with the FPR asked for, whatever the distribution of the scores. Each
such number K puts the threshold between two neighbouring non-members; the members beyond it then
have a beta distribution. The limits are quantiles of that mixture, on the side of the gap where
the interval becomes wider.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idia_index.evaluation.measured import Float64
from idia_index.evaluation.records.curves import LowFpr
from idia_index.support.intervals import (
    Rate,
    binomial,
    incomplete_beta,
    last_below,
    people_needed,
    upper_bound,
)

LOW_RATES = (0.01, 0.001)
HALVINGS = 40
NEGLIGIBLE = 1e-9


def tpr_at_fpr(members: ArrayLike, others: ArrayLike, rate: float) -> LowFpr:
    """TPR where the FPR is at most `rate`, if the non-members can bear such a claim.

    They can if without any false positive the one-sided 95% upper bound of the FPR would be
    `rate` or less: 299 of them for 1%, 2,995 for 0.1%.
    """
    high, low = np.asarray(members, np.float64), np.asarray(others, np.float64)
    needed = people_needed(rate)
    if len(low) < needed:
        return LowFpr(rate, False, len(low), needed)
    allowed = int(rate * len(low) + 1e-9)
    assured = max(e for e in range(allowed + 1) if upper_bound(e, len(low)) <= rate + 1e-9)
    thresholds = [_threshold(high, low, errors) for errors in (allowed, assured)]
    hits = [Rate(int((high >= threshold).sum()), len(high)) for threshold in thresholds]
    false_positives = [int((low >= threshold).sum()) for threshold in thresholds]
    return LowFpr(
        fpr=rate,
        estimable=True,
        non_members=len(low),
        non_members_needed=needed,
        tpr=hits[0].value,
        tpr_ci95=tpr_interval(high, low, rate),
        tpr_false_positives=false_positives[0],
        assured_tpr=hits[1].value,
        assured_tpr_ci95=hits[1].ci95,
        assured_tpr_false_positives=false_positives[1],
    )


def tpr_interval(members: Float64, others: Float64, rate: float) -> tuple[float, float]:
    """Two-sided 95 % interval of the TPR at the lowest threshold whose true FPR is at most `rate`.

    Args:
        members: float64 [m] scores, at least one.
        others: float64 [n] scores of non-members, at least one.
        rate: inside (0, 1).
    """
    high, low = np.sort(members), np.sort(others)[::-1]
    chances = binomial(len(low), rate)
    likely = np.flatnonzero(chances > NEGLIGIBLE).tolist()
    strict = [_hits(high, *_strict(low, count)) for count in likely]
    loose = [_hits(high, *_loose(low, count)) for count in likely]
    tail = 0.025
    return (
        _quantile(_mixture(strict, chances[likely], len(high)), tail),
        _quantile(_mixture(loose, chances[likely], len(high)), 1 - tail),
    )


def _threshold(members: Float64, others: Float64, errors: int) -> float:
    """The lowest score that at most `errors` non-members reach."""
    values: NDArray[np.float64] = np.unique(np.concatenate((members, others)))
    reached = len(others) - np.searchsorted(np.sort(others), values, side="left")
    allowed = values[reached <= errors]
    return float(allowed[0]) if len(allowed) else float("inf")


def _strict(others: Float64, count: int) -> tuple[float, bool]:
    """The highest threshold that `count` of descending scores reach, and whether it is itself hit.

    Where the next score is equal to it more would reach it, so that the threshold lies above.
    Nobody reaches a threshold above all of them: how far above, nothing tells.
    """
    if not count:
        return float(others[0]), False
    last = float(others[count - 1])
    return last, count == len(others) or others[count] < last


def _loose(others: Float64, count: int) -> tuple[float, bool]:
    """The score just below all thresholds that `count` of descending scores reach."""
    return (float(others[count]), False) if count < len(others) else (-math.inf, True)


def _hits(ascending: Float64, threshold: float, at: bool) -> int:
    """How many of ascending scores lie above a threshold, or at it."""
    side: Any = "left" if at else "right"
    return len(ascending) - int(np.searchsorted(ascending, threshold, side=side))


def _mixture(hits: list[int], weights: Float64, members: int) -> Callable[[float], float]:
    """The distribution function of a share: betas of Jeffreys' prior, mixed."""

    def below(share: float) -> float:
        shares = [incomplete_beta(hit + 0.5, members - hit + 0.5, share) for hit in hits]
        return float(weights @ shares / weights.sum())

    return below


def _quantile(below: Callable[[float], float], level: float) -> float:
    low, high = last_below(lambda share: below(share) < level, 0.0, 1.0, HALVINGS)
    return (low + high) / 2
