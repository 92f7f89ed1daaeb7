"""ROC curves of a score."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from idia_index.evaluation.auc import auc, auc_interval
from idia_index.evaluation.measured import Float64


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
