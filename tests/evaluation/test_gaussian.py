"""The bound on mu, against a linear program, mechanisms of known mu, and the bound on epsilon."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import optimize, stats

from idia_index.evaluation.canaries import guess_counts
from idia_index.evaluation.epsilon import Guesses, epsilon_lower_bound
from idia_index.evaluation.gaussian import gaussian_epsilon, mu_lower_bound, mu_refuted


def most_probable(guesses: Guesses, mu: float) -> float:
    """The largest probability of so many right guesses that the inequalities leave, by scipy.

    Each trade-off curve is replaced by tangents, which lie above it.
    """
    m, r = guesses.canaries, guesses.made
    points = np.concatenate((np.geomspace(1e-7, 0.5, 150), np.linspace(0.5, 1 - 1e-7, 60)))
    z = stats.norm.ppf(points)
    height, slope = stats.norm.cdf(z + mu), np.exp(-mu * z - mu**2 / 2)
    numbers, rows, limits = np.arange(r + 1), [], []
    for i in range(1, r + 1):
        right = numbers / m * (numbers >= i)
        wrong = (r - numbers) / m * (numbers >= i - 1)
        rows += list(right - slope[:, None] * wrong)
        limits += list(height - slope * points)
    found = optimize.linprog(
        -1.0 * (numbers >= guesses.right), rows, limits, np.ones((1, r + 1)), [1.0]
    )
    return float(-found.fun)


@pytest.mark.parametrize("guesses", [Guesses(12, 9, 8), Guesses(30, 10, 10), Guesses(14, 14, 11)])
@pytest.mark.parametrize("mu", [0.0, 0.4, 1.5])
def test_it_is_the_best_that_the_inequalities_give(guesses: Guesses, mu: float) -> None:
    largest = most_probable(guesses, mu)
    assert mu_refuted(guesses, mu, largest + 1e-9) or largest > 1 - 1e-6
    assert not mu_refuted(guesses, mu, 0.98 * largest)


def audits(mechanism: str, strength: float, number: int, share: int) -> tuple[list[Guesses], float]:
    """2,000 audits by one plan of guessing, and the true mu."""
    random = np.random.default_rng([number, share, int(10 * strength)])
    coins = random.random((2000, number)) < 0.5
    if mechanism == "gaussian":
        scores, mu = random.normal(0, 1, coins.shape) + strength * coins, strength
    else:
        truth = 1 / (1 + math.exp(-strength))
        told = np.where(random.random(coins.shape) < truth, coins, ~coins)
        scores, mu = told + random.random(coins.shape) / 2, 2 * stats.norm.ppf(truth)
    into, out = guess_counts(number, None)[share]
    ranked = np.take_along_axis(coins, np.argsort(-scores, axis=1), 1)
    right = ranked[:, :into].sum(1) + (~ranked[:, number - out :]).sum(1)
    return [Guesses(number, into + out, int(each)) for each in right], float(mu)


@pytest.mark.slow
@pytest.mark.parametrize("number", [60, 400])
@pytest.mark.parametrize("share", [1, 2, 4])
@pytest.mark.parametrize("mechanism,strength", [
    ("gaussian", 0.0), ("gaussian", 1.0), ("gaussian", 3.0), ("response", 1.0), ("response", 3.0),
])  # fmt: skip
def test_it_is_above_the_true_mu_in_one_of_twenty_audits_at_most(
    mechanism: str, strength: float, number: int, share: int
) -> None:
    made, mu = audits(mechanism, strength, number, share)
    above = sum(made.count(each) for each in set(made) if mu_lower_bound(each) > mu)
    assert above <= stats.binom(len(made), 0.05).ppf(0.999)


@pytest.mark.parametrize("mu", [0.5, 1.0, 2.0])
def test_it_is_larger_than_steinkes_for_gaussian_noise_and_many_canaries(mu: float) -> None:
    delta, (made, _) = 1e-5, audits("gaussian", mu, 1000, 1)
    for right in np.unique(np.quantile([each.right for each in made], [0.05, 0.5, 0.95])):
        guesses = Guesses(1000, made[0].made, int(right))
        found = gaussian_epsilon(mu_lower_bound(guesses), delta)
        assert found is not None and found > epsilon_lower_bound(guesses, delta)


@pytest.mark.parametrize("mu", [0.3, 1.0, 4.0, 50.0])
def test_the_epsilon_of_gaussian_noise_by_integration(mu: float) -> None:
    delta = 1e-5
    epsilon = gaussian_epsilon(mu, delta)
    assert epsilon is not None
    start = epsilon / mu + mu / 2  # from here on the one density is e**epsilon times the other
    grid = np.linspace(start, start + 40, 400_001)
    excess = stats.norm.pdf(grid - mu) - np.exp(epsilon + stats.norm.logpdf(grid))
    assert np.trapezoid(excess, grid) == pytest.approx(delta, rel=1e-4)
    assert gaussian_epsilon(mu, 0.0) is None and gaussian_epsilon(0.0, 0.0) == 0


def test_no_right_guess_refutes_nothing() -> None:
    assert mu_lower_bound(Guesses(50, 20, 0)) == 0
