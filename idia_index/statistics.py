"""Honest rates: every share of people comes with its exact interval."""

from __future__ import annotations

import math
from dataclasses import dataclass


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


def _log_binomial_tail(hits: int, total: int, p: float) -> float:
    """log P(X <= hits) for X ~ Binomial(total, p), 0 < p < 1."""
    terms = [
        math.lgamma(total + 1) - math.lgamma(k + 1) - math.lgamma(total - k + 1)
        + k * math.log(p) + (total - k) * math.log1p(-p)
        for k in range(hits + 1)
    ]  # fmt: skip
    top = max(terms)
    return top + math.log(math.fsum(math.exp(term - top) for term in terms))


def _upper(hits: int, total: int, level: float) -> float:
    """The p at which seeing `hits` or fewer has probability `level`."""
    if hits == total:
        return 1.0
    low, high = hits / total, 1.0
    # 60 halvings reach the last bit of a double.
    for _ in range(60):
        middle = (low + high) / 2
        if not 0 < middle < 1:
            break
        if _log_binomial_tail(hits, total, middle) > math.log(level):
            low = middle
        else:
            high = middle
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
