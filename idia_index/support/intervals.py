"""Honest rates: every share of people comes with its exact interval."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Rate:
    """A share `hits` of `total` people, with its Clopper-Pearson interval.

    Attributes:
        hits: how many.
        total: of how many; 0 where there is nobody, and then `value` and `ci95` are None.
    """

    hits: int
    total: int

    @property
    def value(self) -> float | None:
        """hits / total."""
        return self.hits / self.total if self.total else None

    @property
    def ci95(self) -> tuple[float, float] | None:
        """Two-sided 95 % Clopper-Pearson interval."""
        return clopper_pearson(self.hits, self.total) if self.total else None


def binomial(total: int, chance: float) -> NDArray[np.float64]:
    """P(k hits), k = 0 to `total`, of `total` trials of a chance in [0, 1]: float64 [total + 1]."""
    hits = np.arange(total + 1)
    if chance <= 0 or chance >= 1:
        sure: NDArray[np.float64] = (hits == (total if chance >= 1 else 0)).astype(np.float64)
        return sure
    logs = np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, total + 1)))))
    ways = logs[total] - logs - logs[::-1]
    out: NDArray[np.float64] = np.exp(
        ways + hits * math.log(chance) + (total - hits) * math.log1p(-chance)
    )
    return out


def incomplete_beta(a: float, b: float, x: float) -> float:
    """Regularised incomplete beta function I_x(a, b), a and b above 0, 0 <= x <= 1.

    By Lentz's continued fraction (Abramowitz & Stegun 26.5.8), on the side where it converges
    in some tens of steps whatever the size of a and b.
    """
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - incomplete_beta(b, a, 1 - x)
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    front += a * math.log(x) + b * math.log1p(-x)
    tiny = 1e-300
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1) or tiny)
    fraction = d
    for m in range(1, 100_000):
        for step in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / (1 + step * d or tiny)
            c = 1 + step / c or tiny
            fraction *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return min(math.exp(front) * fraction / a, 1.0)


def last_below(
    is_below: Callable[[float], bool], low: float, high: float, halvings: int = 60
) -> tuple[float, float]:
    """Bisection between `low`, which is below what is looked for, and `high`, which is not.

    Returns:
        the two ends after so many halvings, by default to the last bit.
    """
    for _ in range(halvings):
        middle = (low + high) / 2
        low, high = (middle, high) if is_below(middle) else (low, middle)
    return low, high


def fewest(enough: Callable[[int], bool], low: int, high: int, most: float = math.inf) -> int:
    """The least integer above `low`, which is not enough, from which on integers are.

    It is looked for from `high` on, doubling; where none up to `most` is enough, a larger one is
    returned.
    """
    while not enough(high):
        low, high = high, 2 * high
        if high > most:
            return high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def student_quantile(freedom: int, tail: float) -> float:
    """The t with P(T > t) = `tail`, of Student's distribution; `tail` below one half."""

    def is_below(t: float) -> bool:
        return incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t)) / 2 > tail

    low, high = 0.0, 1.0
    while is_below(high):
        low, high = high, 2 * high
    return last_below(is_below, low, high)[1]


def _upper(hits: float, total: int, level: float, halvings: int = 60) -> float:
    """The p at which seeing `hits` or fewer has probability `level`; to the last bit by default."""
    if hits == total:
        return 1.0

    def likelier(p: float) -> bool:  # P(X <= hits) for X ~ Binomial(total, p)
        return incomplete_beta(total - hits, hits + 1, 1 - p) > level

    low, high = last_below(likelier, hits / total, 1.0, halvings)
    return (low + high) / 2


def clopper_pearson(hits: int, total: int, confidence: float = 0.95) -> tuple[float, float]:
    """Exact two-sided interval of a binomial proportion (Clopper & Pearson, 1934).

    Raises:
        ValueError: total < 1, hits not in 0..total, or confidence not inside (0, 1).
    """
    if total < 1 or not 0 <= hits <= total or not 0 < confidence < 1:
        raise ValueError(f"no interval for {hits} of {total} at {confidence}")
    level = (1 - confidence) / 2
    # The lower bound is the upper bound of the misses, seen from the other side.
    return 1 - _upper(total - hits, total, level), _upper(hits, total, level)


def share_interval(share: float, total: int) -> tuple[float, float]:
    """Two-sided 95 % interval of a share of people that is a mean over draws, to 6 digits.

    Clopper and Pearson's with `share` x `total` hits, which need not be whole: a mean over
    draws varies less between samples of people than one draw does, so it errs on the safe side.
    """
    if not total or not 0 <= share <= 1:
        raise ValueError(f"no interval for a share of {share} of {total}")
    hits = share * total
    upper = 1.0 if hits >= total else _upper(hits, total, 0.025, 22)
    lower = 0.0 if hits <= 0 else 1 - _upper(total - hits, total, 0.025, 22)
    return lower, upper


def upper_bound(hits: int, total: int, confidence: float = 0.95) -> float:
    """One-sided exact upper bound of a proportion; 0 of 299 gives 1.00 % at 95 %.

    Raises:
        ValueError: total < 1, hits not in 0..total, or confidence not inside (0, 1).
    """
    if total < 1 or not 0 <= hits <= total or not 0 < confidence < 1:
        raise ValueError(f"no bound for {hits} of {total} at {confidence}")
    return _upper(hits, total, 1 - confidence)


def people_needed(rate: float, errors: int = 0, confidence: float = 0.95) -> int:
    """Fewest people of whom `errors` errors still bound the error rate by `rate`, one-sided.

    Without an error: 299 for 1 %, 2,995 for 0.1 % at 95 %.

    Raises:
        ValueError: rate or confidence is not inside (0, 1), or errors < 0.
    """
    if not 0 < rate < 1 or not 0 < confidence < 1 or errors < 0:
        raise ValueError(f"no number for {errors} errors, rate {rate}, confidence {confidence}")
    if not errors:
        return math.ceil(math.log(1 - confidence) / math.log1p(-rate) - 1e-9)
    return fewest(
        lambda people: upper_bound(errors, people, confidence) <= rate, errors, max(2 * errors, 2)
    )


def hypergeometric_at_least(least: int, chosen: int, good: int, total: int) -> float:
    """P(at least `least` good among `chosen` drawn without replacement of `total`, `good` good)."""
    ways = math.comb(total, chosen)
    hits = range(max(least, 0), min(chosen, good) + 1)
    return sum(math.comb(good, k) * math.comb(total - good, chosen - k) for k in hits) / ways
