"""Guesses about canaries: plans fixed beforehand, against a slow implementation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from idia_index.errors import InputError
from idia_index.evaluation.canaries import best_bound, guess, guess_counts
from idia_index.evaluation.epsilon import Guesses, epsilon_lower_bound


def test_plans_are_counted_as_they_are_meant() -> None:
    random = np.random.default_rng(0)
    coins = random.random(60) < 0.5
    scores = random.normal(0, 1, 60) + coins
    plans = guess(scores, coins, guess_counts(60, None), 0.0, 0.95)
    assert [(p.guessed_in, p.guessed_out) for p in plans] == [
        (3, 0), (6, 0), (15, 0), (30, 0), (30, 30),
    ]  # fmt: skip
    ranked = [bool(coins[i]) for i in sorted(range(60), key=lambda i: -scores[i])]
    for plan in plans:
        top = ranked[: plan.guessed_in]
        out = ranked[60 - plan.guessed_out :] if plan.guessed_out else []
        right = sum(top) + sum(not coin for coin in out)
        assert plan.accuracy.hits == right and plan.accuracy.total == len(top) + len(out)
        assert (plan.tpr.hits, plan.fpr.hits) == (sum(top), len(top) - sum(top))
        expected = stats.binomtest(right, len(top) + len(out), alternative="greater").pvalue
        assert plan.chance_p == pytest.approx(expected)
        assert plan.epsilon_lower_bound == epsilon_lower_bound(
            Guesses(60, len(top) + len(out), right), 0.0, 0.99
        )


@pytest.mark.slow
def test_a_model_without_memory_is_bounded_in_one_of_twenty_audits_at_most() -> None:
    random, audits, above = np.random.default_rng(1), 150, 0
    plans = guess_counts(40, None)
    for _ in range(audits):
        found = guess(random.random(40), random.random(40) < 0.5, plans, 0.0, 0.95)
        above += best_bound(found) > 0
    assert above <= stats.binom(audits, 0.05).ppf(0.999)


@pytest.mark.parametrize("fixed", [(0, 0), (-1, 3), (30, 31)])
def test_plans_that_cannot_be_are_refused(fixed: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="there are 60 canaries"):
        guess_counts(60, fixed)
