"""ROC curves of a score, and TPR at low FPR where the number of non-members supports it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idia_index.evaluation.draws import resamples
from idia_index.evaluation.measured import Float64
from idia_index.evaluation.records import LowFpr
from idia_index.support.intervals import Rate, people_needed, upper_bound

BOOTSTRAP = 1000
LOW_RATES = (0.01, 0.001)


@dataclass(frozen=True)
class Roc:
    """The trade-off of a score: positive where the score is at least a threshold.

    Attributes:
        thresholds: float64 [n], descending; the first is infinite, so that nobody is positive.
        fpr, tpr: float64 [n], ascending from 0 to 1.
        auc: area under the curve, ties counted half.
        auc_ci95: percentile interval, bootstrapped over people.
    """

    thresholds: Float64
    fpr: Float64
    tpr: Float64
    auc: float
    auc_ci95: tuple[float, float]


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
    members: Float64, others: Float64, seed: int, confidence: float = 0.95
) -> tuple[float, float]:
    """Percentile interval of the AUC; members and non-members are resampled apart."""
    order = np.argsort(others, kind="stable")
    ranked = others[order]
    left = np.searchsorted(ranked, members, side="left")
    right = np.searchsorted(ranked, members, side="right")
    member_counts = resamples(seed, len(members), BOOTSTRAP).astype(np.float64)
    other_counts = resamples(seed + 1, len(others), BOOTSTRAP).astype(np.float64)[:, order]
    below = np.concatenate((np.zeros((BOOTSTRAP, 1)), other_counts.cumsum(axis=1)), axis=1)
    wins = (below[:, left] + below[:, right]) / 2
    values = (member_counts * wins).sum(axis=1) / (len(members) * len(others))
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def make_roc(members: ArrayLike, others: ArrayLike, seed: int) -> Roc:
    """The ROC of scores float [n] of members and [m] of non-members, at least one each."""
    high, low = np.asarray(members, np.float64), np.asarray(others, np.float64)
    values = np.unique(np.concatenate((high, low)))[::-1]
    thresholds = np.concatenate(([np.inf], values))
    return Roc(
        thresholds,
        _share_at_least(low, thresholds),
        _share_at_least(high, thresholds),
        auc(high, low),
        auc_interval(high, low, seed),
    )


def _share_at_least(scores: Float64, thresholds: Float64) -> Float64:
    below = np.searchsorted(np.sort(scores), thresholds, side="left")
    out: Float64 = 1 - below / len(scores)
    return out


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
        tpr_ci95=hits[0].ci95,
        tpr_false_positives=false_positives[0],
        assured_tpr=hits[1].value,
        assured_tpr_ci95=hits[1].ci95,
        assured_tpr_false_positives=false_positives[1],
    )


def _threshold(members: Float64, others: Float64, errors: int) -> float:
    """The lowest score that at most `errors` non-members reach."""
    values: NDArray[np.float64] = np.unique(np.concatenate((members, others)))
    reached = len(others) - np.searchsorted(np.sort(others), values, side="left")
    allowed = values[reached <= errors]
    return float(allowed[0]) if len(allowed) else float("inf")
