"""The bound on epsilon, against scipy, a mechanism of known epsilon, and the paper."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from idia_index.errors import InputError
from idia_index.evaluation.epsilon import (
    Guesses,
    canaries_needed,
    epsilon_lower_bound,
    p_value_of,
    tail,
)


def test_the_papers_example() -> None:
    bound = epsilon_lower_bound(Guesses(1000, 495, 490))
    assert bound == pytest.approx(3.84, abs=0.005)
    # At delta 0 it is the exact one-sided bound of a proportion, as log odds.
    lower = stats.binomtest(490, 495, alternative="greater").proportion_ci(0.95).low
    assert bound == pytest.approx(math.log(lower / (1 - lower)), abs=1e-9)


def oracle(guesses: Guesses, epsilon: float, delta: float) -> float:
    """Theorem 5.2 as it is written, with scipy's binomial."""
    chance = math.exp(epsilon) / (1 + math.exp(epsilon))
    law = stats.binom(guesses.made, chance)
    beta = law.sf(guesses.right - 1)
    shares = [2 / i * (law.sf(guesses.right - i - 1) - beta) for i in range(1, guesses.right + 1)]
    return min(float(beta + guesses.canaries * delta * max(shares, default=0)), 1.0)


@pytest.mark.slow
@pytest.mark.parametrize("delta", [0.0, 1e-5, 1e-3])
@pytest.mark.parametrize("made,right", [(5, 0), (7, 7), (100, 93), (400, 260), (2000, 1990)])
def test_the_p_value_is_that_of_the_theorem(made: int, right: int, delta: float) -> None:
    guesses = Guesses(2000, made, right)
    for epsilon in (0.0, 0.3, 2.0, 6.0):
        expected = oracle(guesses, epsilon, delta)
        assert p_value_of(guesses, epsilon, delta) == pytest.approx(expected, rel=1e-7, abs=1e-12)


def test_the_tail_counts_every_way_of_guessing() -> None:
    for right in range(9):
        ways = sum(sum(row) >= right for row in itertools.product((0, 1), repeat=8))
        assert tail(8, right, 0.5) == pytest.approx(ways / 256)


def test_the_bound_is_where_the_p_value_reaches_the_level() -> None:
    for delta in (0.0, 1e-4):
        guesses = Guesses(500, 200, 185)
        bound = epsilon_lower_bound(guesses, delta, 0.9)
        assert p_value_of(guesses, bound, delta) == pytest.approx(0.1, abs=1e-9)


def test_more_delta_and_fewer_right_guesses_refute_less() -> None:
    deltas = [epsilon_lower_bound(Guesses(500, 200, 190), d) for d in (0, 1e-5, 1e-4, 1e-3, 1e-2)]
    assert deltas == sorted(deltas, reverse=True) and deltas[-1] < deltas[0]
    rights = [epsilon_lower_bound(Guesses(500, 200, r)) for r in range(80, 201)]
    assert rights == sorted(rights) and rights[0] == 0


def test_guesses_that_cannot_be_are_refused() -> None:
    with pytest.raises(InputError, match="12 right of 10 guesses"):
        Guesses(20, 10, 12)
    with pytest.raises(InputError, match="delta -1"):
        epsilon_lower_bound(Guesses(20, 10, 9), -1)


@pytest.mark.parametrize("canaries", [60, 400])
@pytest.mark.parametrize("epsilon", [0.0, 1.0, 3.0])
def test_randomised_response_is_bounded_in_19_of_20_audits(epsilon: float, canaries: int) -> None:
    # Each coin is told truly with probability e^eps / (1 + e^eps): exactly eps, delta 0.
    random = np.random.default_rng([canaries, int(10 * epsilon)])
    truth = 1 / (1 + math.exp(-epsilon))
    rights, counts = np.unique(random.binomial(canaries, truth, 2000), return_counts=True)
    bounds = [epsilon_lower_bound(Guesses(canaries, canaries, int(r))) for r in rights]
    above = sum(count for bound, count in zip(bounds, counts, strict=True) if bound > epsilon)
    # 5 % of 2,000, and what chance adds to it in fewer than one of a thousand runs.
    assert above <= stats.binom(2000, 0.05).ppf(0.999)
    mean = float(np.average(bounds, weights=counts))
    assert mean <= epsilon + 0.05
    if canaries == 400:
        assert mean >= epsilon - 0.6


def test_the_bound_comes_near_for_many_canaries() -> None:
    truth = 1 / (1 + math.exp(-2.0))
    bound = epsilon_lower_bound(Guesses(100_000, 100_000, round(truth * 100_000)))
    assert 1.97 < bound < 2.0


@pytest.mark.parametrize("accuracy,share", [(0.9, 0.5), (0.99, 0.25), (1.0, 1.0)])
def test_so_many_canaries_give_the_bound_in_four_of_five_audits(
    accuracy: float, share: float
) -> None:
    needed = canaries_needed(1.0, accuracy, share)
    assert needed is not None
    rates = []
    for canaries in (needed, needed // 2):
        made = int(share * canaries)
        reached = [
            epsilon_lower_bound(Guesses(canaries, made, right)) >= 1 for right in range(made + 1)
        ]
        rates.append(stats.binom(made, accuracy).pmf(range(made + 1))[reached].sum())
    assert rates[0] >= 0.8 - 1e-9 > rates[1]


def test_no_number_is_enough_for_guesses_that_epsilon_allows() -> None:
    assert canaries_needed(3.0, 0.9, 0.5) is None
