"""Two groups of people by rank: Mann-Whitney's test, exact where it can be counted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike

from idia_index.evaluation.auc import auc, auc_interval
from idia_index.evaluation.measured import Float64

EXACT_CELLS = 30_000_000
"""Cells of the table of rank sums up to which the test is counted, not approximated."""


@dataclass(frozen=True)
class RankTest:
    """Whether the scores of one group lie lower, or higher, than those of another.

    Attributes:
        first: people of the one group.
        second: people of the other.
        probability_lower: how probably somebody of the first group scores lower, ties half.
        ci95: its 95% confidence interval (Newcombe's method 5).
        p_value: two-sided, of Mann-Whitney's test.
        exact: whether it was counted over all assignments of people to groups, or approximated.
        detectable: the probability from which on the test finds a difference in 80% of cases at
            5% (Noether, 1987), on the side of lower scores; null where no such difference is.
    """

    first: int
    second: int
    probability_lower: float
    ci95: tuple[float, float]
    p_value: float
    exact: bool
    detectable: float | None


def rank_test(first: ArrayLike, second: ArrayLike) -> RankTest:
    """Mann-Whitney's test of two groups of finite scores, at least one each."""
    own, others = np.asarray(first, np.float64), np.asarray(second, np.float64)
    lower = 1 - auc(own, others)
    doubled = _doubled_ranks(np.concatenate((own, others)))
    seen = int(doubled[: len(own)].sum())
    exact = min(len(own), len(others)) * int(doubled.sum()) <= EXACT_CELLS
    p = _counted(doubled, len(own), seen) if exact else _approximated(doubled, len(own), seen)
    sizes = len(own), len(others)
    return RankTest(*sizes, lower, auc_interval(lower, *sizes), p, exact, detectable(*sizes))


def _doubled_ranks(values: Float64) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Twice the mid-rank of each value, int64."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (2 * ends - counts + 1)[place].astype(np.int64)


def _counted(doubled: np.ndarray[tuple[int], np.dtype[np.int64]], first: int, seen: int) -> float:
    """Share of the ways to choose so many people whose rank sum is at least as far from its mean.

    The table holds, for each number of people, how probable each sum is; the smaller group is
    counted, whose sum says that of the other.
    """
    total, people = int(doubled.sum()), len(doubled)
    if first > people - first:
        first, seen = people - first, total - seen
    table = np.zeros((first + 1, total + 1))
    table[0, 0] = 1.0
    for number, rank in enumerate(doubled.tolist()):
        # Probabilities rather than counts, which would be too large for a float.
        most = min(number + 1, first)
        for chosen in range(most, 0, -1):
            table[chosen, rank:] += table[chosen - 1, : total + 1 - rank]
        if table.max() > 1e200:
            table /= 1e200
    ways = table[first]
    mean = first * total / people
    far = abs(np.arange(total + 1) - mean) >= abs(seen - mean) - 1e-9
    return float(min(ways[far].sum() / ways.sum(), 1.0))


def _approximated(
    doubled: np.ndarray[tuple[int], np.dtype[np.int64]], first: int, seen: int
) -> float:
    """By the normal distribution, with the correction for ties and for continuity."""
    people = len(doubled)
    # The variance of a sum that is drawn without replacement, ties and all; ranks, not doubled.
    variance = doubled.var(ddof=1) / 4 * first * (people - first) / people
    if variance == 0:
        return 1.0
    apart = abs(seen - first * doubled.sum() / people) / 2
    z = max(apart - 0.5, 0.0) / math.sqrt(variance)
    return min(2 * NormalDist().cdf(-z), 1.0)


def detectable(first: int, second: int, power: float = 0.8, level: float = 0.05) -> float | None:
    """The probability above one half that the two-sided test finds with that power.

    Noether, "Sample size determination for some common nonparametric tests", Journal of the
    American Statistical Association 82 (1987). None where even 1 is found less often.
    """
    people = first + second
    normal = NormalDist()
    z = normal.inv_cdf(1 - level / 2) + normal.inv_cdf(power)
    away = z / math.sqrt(12 * people * (first / people) * (second / people))
    return 0.5 + away if away <= 0.5 else None
