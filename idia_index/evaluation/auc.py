"""The area under the ROC curve, with an interval that holds where the curve is nearly perfect."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from idia_index.evaluation.measured import Float64
from idia_index.support.intervals import last_below


def auc(members: ArrayLike, others: ArrayLike) -> float:
    """P(a member scores higher than a non-member), ties counted half (Mann-Whitney).

    Args:
        members, others: finite scores, at least one each.
    """
    high, low = np.asarray(members, np.float64), np.sort(np.asarray(others, np.float64))
    below = np.searchsorted(low, high, side="left").mean()
    equal = np.searchsorted(low, high, side="right").mean()
    return float((below + equal) / (2 * len(low)))


def auc_interval(
    auc: float, members: int, others: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Two-sided interval of an AUC that was estimated from two groups of people.

    Method 5 of Newcombe, "Confidence intervals for an effect size measure based on the
    Mann-Whitney statistic. Part 2", Statistics in Medicine 25 (2006): Hanley and McNeil's
    variance with both group sizes replaced by their mean, taken at the limit itself rather than
    at the estimate. It has a width at perfect separation, where a bootstrap has none.

    Args:
        auc: the Mann-Whitney estimate, in [0, 1].
        members, others: sizes of the groups, at least one each.
        confidence: inside (0, 1).

    Raises:
        ValueError: an argument is out of range.
    """
    if not 0 <= auc <= 1 or members < 1 or others < 1 or not 0 < confidence < 1:
        raise ValueError(f"no interval for an AUC of {auc} of {members} and {others} people")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    # By symmetry the lower limit of an AUC is one minus the upper limit of its complement.
    return 1 - _upper(1 - auc, members, others, z), _upper(auc, members, others, z)


def above_half_power(auc: float, members: int, others: int, errors: float) -> float:
    """The chance to see an AUC, in fact this large, that many of chance's errors above one half.

    The estimate is taken for normal, with the variance that `auc_interval` takes.

    Args:
        auc: inside (0, 1).
        members, others: sizes of the groups, at least one each.
        errors: standard errors of an AUC of one half.
    """
    least = 0.5 + errors * standard_error(0.5, members, others)
    return NormalDist(auc, standard_error(auc, members, others)).cdf(2 * auc - least)


def _upper(auc: float, members: int, others: int, z: float) -> float:
    """The largest theta that lies at most z standard errors, taken at theta, above the estimate."""
    low, high = last_below(
        lambda theta: theta - auc <= z * standard_error(theta, members, others), auc, 1.0
    )
    return (low + high) / 2


def standard_error(theta: float, members: int, others: int) -> float:
    """Of the estimate of an AUC theta, of so many people: see `auc_interval`."""
    spread = (members + others) / 2 - 1
    factor = 1 + spread * ((1 - theta) / (2 - theta) + theta / (1 + theta))
    return math.sqrt(theta * (1 - theta) * factor / (members * others))


@dataclass(frozen=True)
class Roc:
    """The trade-off of a score: positive where the score is at least a threshold.

    Attributes:
        thresholds: float64 [n], descending; the first is infinite, so that nobody is positive.
        fpr, tpr: float64 [n], ascending from 0 to 1.
        auc: area under the curve, ties counted half.
        auc_ci95: Newcombe's interval.
    """

    thresholds: Float64
    fpr: Float64
    tpr: Float64
    auc: float
    auc_ci95: tuple[float, float]


def make_roc(members: ArrayLike, others: ArrayLike) -> Roc:
    """The ROC of scores float [n] of members and [m] of non-members, at least one each."""
    high, low = np.asarray(members, np.float64), np.asarray(others, np.float64)
    values = np.unique(np.concatenate((high, low)))[::-1]
    thresholds = np.concatenate(([np.inf], values))
    area = auc(high, low)
    return Roc(
        thresholds,
        _share_at_least(low, thresholds),
        _share_at_least(high, thresholds),
        area,
        auc_interval(area, len(high), len(low)),
    )


def _share_at_least(scores: Float64, thresholds: Float64) -> Float64:
    below = np.searchsorted(np.sort(scores), thresholds, side="left")
    out: Float64 = 1 - below / len(scores)
    return out
