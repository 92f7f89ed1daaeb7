"""Before and after: against scipy and slow enumeration, and the coverage of intervals."""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
import pytest
from scipy import stats

from idia_index.evaluation.paired import PairedChange, bootstrap_interval
from idia_index.evaluation.ranks import detectable, rank_test


@pytest.mark.parametrize("lost,gained", [(0, 0), (10, 2), (2, 10), (5, 5), (40, 61), (0, 24)])
def test_mcnemar_is_a_binomial_test(lost: int, gained: int) -> None:
    expected = stats.binomtest(lost, lost + gained).pvalue if lost + gained else 1.0
    assert PairedChange(300, lost, gained).p_value == pytest.approx(expected)


def outcomes(people: int) -> list[tuple[int, int]]:
    return [(lost, g) for lost in range(people + 1) for g in range(people + 1 - lost)]


@cache
def intervals(people: int) -> list[tuple[float, float, float, float]]:
    """The 95 % and the 90 % interval of every outcome."""
    changes = [PairedChange(people, *outcome) for outcome in outcomes(people)]
    return [(*change.interval(), *change.interval(0.90)) for change in changes]


@pytest.mark.slow
@pytest.mark.parametrize("people", [5, 12])
@pytest.mark.parametrize(
    "lose,gain", [(0.02, 0.02), (0.5, 0.01), (0.3, 0.3), (0.9, 0.05), (0, 0.1)]
)
def test_the_interval_of_a_difference_covers_it(people: int, lose: float, gain: float) -> None:
    # Every outcome with its probability: nothing is simulated.
    law = stats.multinomial(people, [lose, gain, 1 - lose - gain])
    covered, true = np.zeros(3), gain - lose
    for (lost, gained), (low, high, least, most) in zip(
        outcomes(people), intervals(people), strict=True
    ):
        # A margin that the true difference just reaches must not be called kept.
        equivalent = -abs(true) < least and most < abs(true)
        chance = float(law.pmf([lost, gained, people - lost - gained]))
        covered += chance * np.array([low <= true <= high, least <= true <= most, equivalent])
    assert covered[0] >= 0.95 - 1e-9
    assert covered[1] >= 0.90 - 1e-9
    assert covered[2] <= 0.05 + 1e-9


@pytest.mark.parametrize("people,lost,gained", [(91, 9, 7), (300, 3, 2), (40, 30, 1), (24, 0, 0)])
def test_the_ends_of_an_interval_by_scipy(people: int, lost: int, gained: int) -> None:
    def chance(net: int, difference: float, share: float) -> float:
        """P(gained - lost <= net): of so many who change, so many gain."""
        changed = np.arange(people + 1)
        gains = stats.binom.cdf((net + changed) // 2, changed, (1 + difference / share) / 2)
        return float(stats.binom.pmf(changed, people, share) @ gains)

    low, high = PairedChange(people, lost, gained).interval(0.90)
    changed = lost + gained
    most = float(stats.beta.ppf(1 - 0.005, changed + 1, people - changed))
    for end, net in ((high, gained - lost), (-low, lost - gained)):
        shares = np.linspace(max(abs(end), 1e-6), most, 40)
        assert max(chance(net, end, each) for each in shares) == pytest.approx(0.045, abs=1e-3)


def test_few_changes_among_many_are_equivalent() -> None:
    assert PairedChange(300, 3, 2).equivalent(0.05)
    assert not PairedChange(300, 12, 2).equivalent(0.05)
    assert not PairedChange(24, 0, 0).equivalent(0.05)  # nobody changed, but they are few


@pytest.mark.slow
@pytest.mark.parametrize("law", ["normal", "skewed", "heavy", "mostly zero"])
def test_the_interval_of_a_mean_covers_it(law: str) -> None:
    people, draws = 24, 300  # benchmarks/statistics/canary_coverage.py has more
    random = np.random.default_rng(len(law))
    shape = (draws, people)
    values, mean = {
        "normal": (random.normal(1, 1, shape), 1.0),
        "skewed": (random.gamma(2, 1, shape), 2.0),
        "heavy": (random.standard_t(4, shape), 0.0),
        "mostly zero": (random.normal(0, 1, shape) * (random.random(shape) < 0.5), 0.0),
    }[law]
    intervals = [bootstrap_interval(row, seed) for seed, row in enumerate(values)]
    covered = sum(low <= mean <= high for low, high in intervals)
    # Nominal, less what chance takes of it in fewer than one of a thousand runs.
    assert covered >= stats.binom(draws, 0.95).ppf(0.001)


def test_the_interval_of_a_mean_does_not_depend_on_the_unit() -> None:
    values = np.random.default_rng(3).gamma(2, 1, 24)
    low, high = bootstrap_interval(values, 7)
    assert bootstrap_interval(1e-6 * values, 7) == pytest.approx((1e-6 * low, 1e-6 * high))


def enumerated(first: list[float], second: list[float]) -> float:
    """The two-sided p-value by every way of choosing the first group."""
    ranks = stats.rankdata([*first, *second])
    mean = len(first) * ranks.mean()
    seen = abs(ranks[: len(first)].sum() - mean)
    ways = [
        abs(ranks[list(chosen)].sum() - mean) >= seen - 1e-9
        for chosen in itertools.combinations(range(len(ranks)), len(first))
    ]
    return float(np.mean(ways))


@pytest.mark.parametrize("sizes", [(1, 5), (4, 6), (7, 3)])
def test_small_groups_by_enumeration_with_ties(sizes: tuple[int, int]) -> None:
    random = np.random.default_rng(sum(sizes))
    for _ in range(10):
        first = random.integers(0, 5, sizes[0]).tolist()
        second = random.integers(1, 6, sizes[1]).tolist()
        found = rank_test(first, second)
        assert found.exact and found.p_value == pytest.approx(enumerated(first, second))


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [(24, 120), (12, 12), (276, 24)])
def test_scipys_exact_test(sizes: tuple[int, int]) -> None:
    random = np.random.default_rng(sum(sizes))
    first, second = random.normal(-0.4, 1, sizes[0]), random.normal(0, 1, sizes[1])
    found = rank_test(first, second)
    expected = stats.mannwhitneyu(first, second, method="exact")
    assert found.exact and found.p_value == pytest.approx(expected.pvalue, rel=1e-6)
    assert found.probability_lower == pytest.approx(1 - expected.statistic / np.prod(sizes))


def test_scipys_approximation_for_large_groups_with_ties() -> None:
    random = np.random.default_rng(5)
    first, second = random.integers(0, 20, 900) - 1, random.integers(0, 20, 2000)
    found = rank_test(first, second)
    expected = stats.mannwhitneyu(first, second, method="asymptotic")
    assert not found.exact and found.p_value == pytest.approx(expected.pvalue)


def test_all_equal_scores_tell_nothing() -> None:
    assert rank_test([1.0] * 5, [1.0] * 9).p_value == 1
    assert rank_test([1.0] * 5, [1.0] * 9).probability_lower == 0.5


@pytest.mark.slow
def test_the_stated_power_is_about_right() -> None:
    least = detectable(24, 120)
    assert least is not None
    random, shift = np.random.default_rng(0), np.sqrt(2) * stats.norm.ppf(least)
    found = [
        stats.mannwhitneyu(random.normal(-shift, 1, 24), random.normal(0, 1, 120)).pvalue < 0.05
        for _ in range(600)
    ]
    assert 0.76 < np.mean(found) < 0.90  # on the safe side, if anything
    assert detectable(1, 3) is None
