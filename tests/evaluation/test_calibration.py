"""Likelihood ratios: PAV against its definition, their cost, and their calibration."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idia_index.evaluation.calibration import (
    calibrate,
    cllr,
    cross_fitted,
    minimum_cllr,
    monotone,
)
from idia_index.evaluation.likelihood import support

SHARES = st.lists(st.tuples(st.integers(0, 9), st.integers(1, 5)), min_size=1, max_size=12)


@given(SHARES)
@settings(max_examples=60)
def test_pooling_gives_the_largest_of_the_smallest_means(pairs: list[tuple[int, int]]) -> None:
    """The min-max formula of isotonic regression, over all runs."""
    values, weights = (np.array(each, np.float64) for each in zip(*pairs, strict=True))
    places = range(len(values))

    def mean(start: int, end: int) -> float:
        run = slice(start, end + 1)
        return float(values[run] @ weights[run] / weights[run].sum())

    wanted = [
        max(min(mean(start, end) for end in places if end >= i) for start in range(i + 1))
        for i in places
    ]
    assert monotone(values, weights) == pytest.approx(wanted)


def test_ratios_are_shares_of_either_group_in_each_run() -> None:
    # 1 stands for a member; with the two unseen people at either end:
    # (1 0) 0 0 1 | 0 1 1 | 1 (1 0) pools to (1 0 0 0), (1 0), (1 1 1 1 0).
    fitted = calibrate(np.array([3.0, 5, 6, 7]), np.array([1.0, 2, 4]))
    shares = np.array([[1, 3], [1, 1], [4, 1]]) / [4 + 2, 3 + 2]
    expected = np.repeat(shares[:, 0] / shares[:, 1], [2, 2, 3])
    assert np.exp(fitted.log_ratios) == pytest.approx(expected)
    assert fitted.log_ratio(np.array([-9.0, 99])) == pytest.approx(np.log(expected[[0, -1]]))
    assert fitted.ratio(2.5) == pytest.approx(math.sqrt(expected[1] * expected[2]))


@pytest.mark.parametrize(("members", "others"), [(20, 20), (24, 308), (300, 20)])
def test_no_ratio_is_larger_than_the_people_support(members: int, others: int) -> None:
    fitted = calibrate(1 + np.arange(members) / members, np.arange(others) / others)
    low, high = np.exp(fitted.log_ratios[[0, -1]])
    assert high == pytest.approx((members + 1) / (members + 2) * (others + 2))
    assert 1 / low == pytest.approx((others + 1) / (others + 2) * (members + 2))


def test_the_cost_is_its_definition() -> None:
    members, others = np.array([3.0, 0.5, 40]), np.array([0.1, 2.0])
    expected = (
        sum(math.log2(1 + 1 / ratio) for ratio in members) / 3
        + sum(math.log2(1 + ratio) for ratio in others) / 2
    ) / 2
    assert cllr(np.log(members), np.log(others)) == pytest.approx(expected)
    assert cllr(np.zeros(5), np.zeros(9)) == pytest.approx(1)


def test_no_ascending_map_costs_less_than_the_minimum() -> None:
    random = np.random.default_rng(2)
    members, others = random.normal(1, 1, 40), random.normal(0, 1, 60)
    least = minimum_cllr(members, others)
    assert least < cllr(members - 0.5, others - 0.5)  # the true log ratio
    for _ in range(50):
        knots = np.sort(random.normal(0, 2, 8))
        heights = np.sort(random.normal(0, 2, 8))
        assert least <= cllr(*(np.interp(each, knots, heights) for each in (members, others)))
    assert minimum_cllr(np.array([2.0, 3]), np.array([0.0, 1])) == 0
    assert minimum_cllr(np.ones(4), np.ones(7)) == pytest.approx(1)


@pytest.mark.parametrize(("sizes", "apart"), [((144, 308), 1.5), ((24, 60), 2.5)])
def test_cross_fitting_tells_what_ratios_cost_on_fresh_people(
    sizes: tuple[int, int], apart: float
) -> None:
    random = np.random.default_rng(4)
    fresh = random.normal(apart, 1, 20_000), random.normal(0, 1, 20_000)
    told, cost = [], []
    for seed in range(25):
        members, others = random.normal(apart, 1, sizes[0]), random.normal(0, 1, sizes[1])
        told.append(cllr(*cross_fitted(members, others, seed)))
        fitted = calibrate(members, others)
        cost.append(cllr(*map(fitted.log_ratio, fresh)))
    assert np.mean(told) == pytest.approx(np.mean(cost), abs=0.04)


def test_the_ratio_of_a_ratio_is_that_ratio() -> None:
    """Of fresh people: among those told a ratio there are so many times more members."""
    random = np.random.default_rng(5)
    fitted = calibrate(random.normal(1.5, 1, 4000), random.normal(0, 1, 4000))
    fresh = random.normal(1.5, 1, 40_000), random.normal(0, 1, 40_000)
    ratios = [np.exp(fitted.log_ratio(each)) for each in fresh]
    assert ratios[1].mean() == pytest.approx(1, abs=0.05)
    edges = np.quantile(np.concatenate(ratios), np.linspace(0, 1, 9))
    edges[-1] += 1
    members, others = (np.histogram(each, edges)[0] for each in ratios)
    # Members are as dense as the ratio times non-members.
    wanted = np.histogram(ratios[1], edges, weights=ratios[1])[0]
    assert (others > 100).sum() >= 7
    assert members[others > 100] == pytest.approx(wanted[others > 100], rel=0.25)


def test_strong_ratios_seldom_mislead() -> None:
    """P(ratio >= k for a non-member) is at most 1 / k, of studies of few people too."""
    random = np.random.default_rng(6)
    told = []
    for _ in range(200):
        fitted = calibrate(random.normal(2, 1, 24), random.normal(0, 1, 60))
        told.append(np.exp(fitted.log_ratio(random.normal(0, 1, 200))))
    for least in (3, 10, 30):
        assert (np.array(told) >= least).mean() <= 1 / least


@pytest.mark.parametrize(
    ("ratio", "word"),
    [
        (1, "none"), (1.99, "none"), (1 / 1.99, "none"), (2, "weak"), (1 / 9.9, "weak"),
        (10, "moderate"), (0.01, "moderately strong"), (999, "moderately strong"),
        (1000, "strong"), (1e-4, "very strong"), (2e6, "extremely strong"),
    ],
)  # fmt: skip
def test_words_are_those_of_the_scale(ratio: float, word: str) -> None:
    assert support(ratio) == word
