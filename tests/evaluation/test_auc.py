"""The AUC's interval, against its defining equation and by its coverage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from idia_index.evaluation.auc import auc, auc_interval


def hanley_mcneil(theta: float, members: int, others: int) -> float:
    """Method 5's variance as Hanley and McNeil write it, both sizes replaced by their mean."""
    mean = (members + others) / 2
    q1, q2 = theta / (2 - theta), 2 * theta**2 / (1 + theta)
    one_pair = theta * (1 - theta)
    rest = (mean - 1) * (q1 - theta**2 + q2 - theta**2)
    return (one_pair + rest) / (members * others)


@pytest.mark.slow
@given(st.floats(0.0, 0.999), st.integers(2, 600), st.integers(2, 600))
def test_the_upper_limit_lies_z_standard_errors_above(value: float, m: int, n: int) -> None:
    _, upper = auc_interval(value, m, n)
    z = stats.norm.ppf(0.975)

    def beyond(theta: float) -> float:
        return float(theta - value - z * np.sqrt(max(hanley_mcneil(theta, m, n), 0)))

    root = optimize.brentq(beyond, value + 1e-12, 1) if beyond(value + 1e-12) < 0 else value
    assert upper == pytest.approx(root, abs=1e-6)


@given(st.floats(0, 1), st.integers(1, 50), st.integers(1, 50))
def test_the_interval_is_symmetric_and_holds_the_estimate(value: float, m: int, n: int) -> None:
    low, high = auc_interval(value, m, n)
    other_low, other_high = auc_interval(1 - value, m, n)
    assert (low, high) == pytest.approx((1 - other_high, 1 - other_low), abs=1e-9)
    assert 0 <= low <= value <= high <= 1


def test_perfect_separation_leaves_doubt() -> None:
    low, high = auc_interval(1.0, 10, 10)
    assert high == 1 and 0.7 < low < 0.95


@pytest.mark.slow
@pytest.mark.parametrize("truth", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("sizes", [(10, 10), (24, 24), (144, 308)])
def test_it_covers_as_often_as_it_says(truth: float, sizes: tuple[int, int]) -> None:
    random = np.random.default_rng(7)
    apart = np.sqrt(2) * stats.norm.ppf(truth)
    trials, covered = 300, 0
    for _ in range(trials):
        value = auc(random.normal(apart, 1, sizes[0]), random.normal(0, 1, sizes[1]))
        low, high = auc_interval(value, *sizes)
        covered += low <= truth <= high
    # 93 % would be reached by an interval of 93 % in all but one of a thousand such runs.
    assert covered >= stats.binom.ppf(0.001, trials, 0.93)
