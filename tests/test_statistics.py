"""Intervals against SciPy and against closed forms."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from idia_index.statistics import Rate, clopper_pearson


@given(st.integers(1, 600).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_scipy_gives_the_same_interval(case: tuple[int, int]) -> None:
    expected = binomtest(*case).proportion_ci(0.95, method="exact")
    assert clopper_pearson(*case) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_closed_form_without_a_hit() -> None:
    for total, percent in ((8, 36.9), (100, 3.6)):
        low, high = clopper_pearson(0, total)
        assert low == 0
        assert high == pytest.approx(1 - 0.025 ** (1 / total), abs=1e-12)
        assert round(100 * high, 1) == percent


def test_closed_form_with_every_hit() -> None:
    low, high = clopper_pearson(25, 25)
    assert (low, high) == (pytest.approx(0.025 ** (1 / 25), abs=1e-12), 1)


def test_large_totals_stay_finite() -> None:
    low, high = clopper_pearson(7, 1_000_000)
    assert 0 < low < 7e-6 < high < 2e-5 and math.isfinite(high)


@pytest.mark.parametrize("case", [(1, 0), (-1, 5), (6, 5)])
def test_no_interval_of_nothing(case: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="no interval"):
        clopper_pearson(*case)


def test_a_rate_of_nobody_has_no_value() -> None:
    assert Rate(0, 0).value is None and Rate(0, 0).ci95 is None
    assert Rate(1, 4).value == 0.25
