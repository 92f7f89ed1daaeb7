"""A lower bound on the mu of Gaussian differential privacy, from guesses about canaries.

Mahloujifar, Melis and Chaudhuri, "Auditing f-Differential Privacy in One Run" (arXiv 2410.22235),
for the trade-off functions of Gaussian noise: training is mu-GDP if telling whether one canary was
put in is as hard as telling N(0, 1) from N(mu, 1). Let p_i be the probability that i of r guesses
about m canaries are right. Flip the coin of one canary that was guessed right, and one fewer is
right. So for every i, summed over j >= i and averaged over coins and canaries,

    sum(j / m p_j) <= F(sum((r - j + 1) / m p_(j - 1))),    F(x) = Phi(Phi^-1(x) + mu).

The least probability that all p_j need if so many guesses or more are right in a share `level` of
audits has all of that share at the number that was right, and below it what each inequality asks
for. Where that is more than 1, mu is refuted.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from idia_index.evaluation.epsilon import Guesses, check_level, largest_refuted

NORMAL = NormalDist()
MOST_MU = 50.0


def mu_refuted(guesses: Guesses, mu: float, level: float) -> bool:
    """Whether so many right guesses are as improbable as `level`, if training was mu-GDP."""
    m, made, right = guesses.canaries, guesses.made, guesses.right
    if right == 0:
        return False
    hits, misses = level * right / m, level * (made - right) / m
    for i in range(right - 1, -1, -1):
        if hits + misses >= made / m:
            return True
        needed = _normal(NORMAL.inv_cdf(hits) - mu)
        if needed <= misses:  # nor is more needed further down
            return False
        hits += i / (made - i) * (needed - misses)
        misses = needed
    return hits + misses >= made / m


def mu_lower_bound(guesses: Guesses, confidence: float = 0.95) -> float:
    """The largest mu that the guesses refute; 0 where they refute none."""
    check_level(0.0, confidence)
    level = 1 - confidence
    return largest_refuted(lambda mu: mu_refuted(guesses, mu, level), MOST_MU)


def gaussian_epsilon(mu: float, delta: float) -> float | None:
    """The epsilon at `delta` > 0 of noise that is mu-GDP and no better; None at delta 0.

    Dong, Roth and Su, "Gaussian Differential Privacy" (arXiv 1905.02383), corollary 1.
    """
    if mu == 0:
        return 0.0
    if delta == 0:
        return None

    def above(epsilon: float) -> bool:
        beyond = math.exp(epsilon + _log_normal(-epsilon / mu - mu / 2))
        return _normal(-epsilon / mu + mu / 2) - beyond > delta

    return largest_refuted(above, math.inf)


def _normal(z: float) -> float:
    """Phi(z), precise far below 0 too."""
    return 0.5 * math.erfc(-z / math.sqrt(2))


def _log_normal(z: float) -> float:
    """log Phi(z), also where Phi(z) is too small for a float."""
    if z > -30:
        return math.log(_normal(z))
    return -z * z / 2 - math.log(-z * math.sqrt(2 * math.pi)) + math.log1p(3 / z**4 - 1 / z**2)
