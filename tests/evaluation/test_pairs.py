"""Shares of pairs: the interval covers if both people and names vary."""

from __future__ import annotations

import numpy as np
import pytest

from idia_index.evaluation.pairs import of_one_sex, share_of_crossed_pairs


@pytest.mark.slow
@pytest.mark.parametrize(("people", "names", "spread"), [(20, 40, 0.3), (60, 90, 0.9)])
def test_the_interval_covers_though_people_and_names_repeat(
    people: int, names: int, spread: float
) -> None:
    random = np.random.default_rng(people)
    logits = -3 + spread * np.sqrt(2) * random.standard_normal(400_000)
    truth = float((1 / (1 + np.exp(-logits))).mean())
    counted = of_one_sex(["f", "m"] * (people // 2), ["f", "m"] * (names // 2))
    np.fill_diagonal(counted, False)
    covered, too_narrow = [], []
    for _ in range(300):
        u, v = random.standard_normal((people, 1)), random.standard_normal((1, names))
        chance = 1 / (1 + np.exp(3 - spread * (u + v)))
        found = share_of_crossed_pairs(random.random(chance.shape) < chance, counted)
        assert found.rate is not None and found.ci95 is not None
        covered.append(found.ci95[0] <= truth <= found.ci95[1])
        half = 1.96 * np.sqrt(found.rate * (1 - found.rate) / found.total)
        too_narrow.append(abs(found.rate - truth) <= half)
    assert np.mean(covered) >= 0.93
    if spread > 0.5:  # as if pairs were independent
        assert np.mean(too_narrow) < 0.8


def test_pairs_of_all_hits_or_none_have_an_interval() -> None:
    counted = np.ones((8, 20), np.bool_)
    none = share_of_crossed_pairs(~counted, counted)
    assert none.ci95 == (0.0, pytest.approx(1 - 0.025 ** (1 / 8)))
    every = share_of_crossed_pairs(counted, counted)
    assert every.ci95 == (pytest.approx(0.025 ** (1 / 8)), 1.0)
    assert share_of_crossed_pairs(counted, ~counted).rate is None


def test_only_counted_pairs_count() -> None:
    counted = of_one_sex(["f", "m", None], ["m", "f", None, "f"])
    assert counted.astype(int).tolist() == [[0, 1, 0, 1], [1, 0, 0, 0], [0, 0, 1, 0]]
    found = share_of_crossed_pairs(~counted | (np.arange(4) == 1), counted)
    assert (found.hits, found.total) == (1, 4)
