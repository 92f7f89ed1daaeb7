"""P-values, their null, matching, ROC and baselines against SciPy and plain implementations."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from idia_index.evaluation.baselines import compare, learned_scores, one_shift, ridge, shifted
from idia_index.evaluation.controls import (
    ENOUGH,
    MOST_CONTROLS,
    Matched,
    NameTraits,
    OfferedTraits,
    match_controls,
    name_traits,
)
from idia_index.evaluation.pvalues import (
    BLOCK,
    REFERENCE,
    adjusted,
    is_calibrated,
    p_value,
    rule_wins,
    score_names,
    uniform_distance,
)
from idia_index.evaluation.roc import auc, auc_interval, make_roc, tpr_at_fpr


def test_the_rank_of_the_true_name() -> None:
    assert p_value(3.0, [1, 2, 2.5]) == 0.25  # the smallest that three controls allow
    assert p_value(2.0, [1, 2, 3]) == 0.75  # an equal score counts against the name
    assert p_value(0.0, []) == 1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
def test_adjusted_p_values_are_scipys(p_values: list[float]) -> None:
    expected = stats.false_discovery_control(p_values, method="bh")
    assert adjusted(p_values) == pytest.approx(expected, abs=1e-12)


@given(st.lists(st.floats(0, 1), min_size=5, max_size=400))
def test_uniform_distance_is_scipys(p_values: list[float]) -> None:
    distance, tail = uniform_distance(p_values)
    expected = stats.kstest(p_values, "uniform")
    assert distance == pytest.approx(expected.statistic, abs=1e-12)
    # The tail is asymptotic; what decides is where it is small.
    assert tail == pytest.approx(expected.pvalue, abs=0.03)


def scores_of(table: np.ndarray, names: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores [P] of the own and [P, U] of `names` other names, of similarities [P, U + P]."""
    # The similarity to a name is a coordinate, so the table is what the product gives.
    texts = np.eye(table.shape[1])
    blocks = list(score_names(table, texts[names:], texts[:names]))
    return (
        np.concatenate([block.own for block in blocks]),
        np.concatenate([block.offered for block in blocks]),
    )


def test_p_values_without_an_association_are_uniform_whatever_names_attract() -> None:
    # Names differ in how close they are to anybody, and in how much that varies.
    random = np.random.default_rng(0)
    people, names = 400, 200
    level, spread = random.normal(0, 5, names + people), random.gamma(2, 1, names + people)
    level[names:] += 4  # and the true names more than the controls
    table = random.normal(size=(people, names + people)) * spread + level
    table += random.normal(0, 3, (people, 1))  # photographs differ too
    own, others = scores_of(table, names)
    assert is_calibrated(people)
    found = [p_value(own[p], others[p]) for p in range(people)]
    assert stats.kstest(found, "uniform").pvalue > 0.01
    raw = [p_value(table[p, names + p], table[p, :names]) for p in range(people)]
    assert stats.kstest(raw, "uniform").pvalue < 0.01  # why scores are calibrated


def test_the_false_discovery_rate_holds() -> None:
    random = np.random.default_rng(1)
    shares = []
    for _ in range(200):
        known = random.random(100) < 0.2
        shift = np.where(known, 4.0, 0.0)
        scores, controls = random.normal(shift), random.normal(size=(100, 999))
        found = adjusted([p_value(s, c) for s, c in zip(scores, controls, strict=True)]) <= 0.05
        shares.append((found & ~known).sum() / max(found.sum(), 1))
    assert np.mean(shares) < 0.05 + 2 * np.std(shares) / np.sqrt(200)


def test_scores_are_standardised_by_the_other_subjects() -> None:
    random = np.random.default_rng(2)
    for people in (REFERENCE + 1, 2 * BLOCK + 3):
        table = random.normal(size=(people, 3 + people)) * 1e-3 + 0.2
        own, offered = scores_of(table, 3)
        assert is_calibrated(people) and offered.shape == (people, 3)
        for p in (0, 7, people - 1):
            others = np.delete(table, p, axis=0)
            expected = (table[p] - others.mean(axis=0)) / others.std(axis=0)
            assert offered[p] == pytest.approx(expected[:3])
            assert own[p] == pytest.approx(expected[3 + p])
    few = random.normal(size=(REFERENCE, 3 + REFERENCE))
    own, offered = scores_of(few, 3)
    assert not is_calibrated(REFERENCE)
    assert (offered == few[:, :3]).all() and (own == few[:, 3:].diagonal()).all()


def test_the_rule_with_a_control_in_place_of_the_true_name() -> None:
    random = np.random.default_rng(3)
    rivals = random.integers(0, 9, (21, 12))
    wins = [Counter(row).most_common(2) for row in rivals.tolist()]
    for control in range(12):
        expected = sum(
            top[0][0] == control and (len(top) == 1 or top[0][1] > top[1][1]) for top in wins
        )
        assert rule_wins(rivals, np.array([control])).tolist() == [expected]


def test_traits_come_from_the_name_statistics() -> None:
    assert name_traits("Mary Smith", 2).sex == "f"
    assert name_traits("JAMES smith", 2).sex == "m"
    known, rare = name_traits("Mary Smith", 2), name_traits("Mary Zwick", 3)
    assert known.origin == "us" and known.frequency is not None
    assert rare.frequency is None or rare.frequency < known.frequency
    assert name_traits("Xqzt Wvvk", 4) == NameTraits(None, 4, None, None)


def test_matching_is_loosened_only_where_it_must_be() -> None:
    woman = NameTraits("f", 2, "us", 5.0)
    alike = [NameTraits("f", 2, "us", float(i)) for i in range(ENOUGH)]
    others = [NameTraits("m", 2, "us", 5.0)] * 50 + [NameTraits("f", 3, "es", 5.0)] * 50

    def matched(offered: list[NameTraits], most: int = MOST_CONTROLS) -> Matched:
        return match_controls(woman, OfferedTraits.of(offered), most)

    match = matched([*others, *alike])
    assert match.by == ("sex", "tokens", "origin")
    assert match.places.tolist() == list(range(100, 100 + ENOUGH))
    assert matched([*others, *alike[1:]]).by == ("sex", "tokens +-1")
    nothing = matched(others[:3])
    assert nothing.by == () and len(nothing.places) == 3
    near = matched(alike, most=3)
    assert near.by[-1] == "frequency" and near.places.tolist() == [4, 5, 6]


def plain_match(
    own: NameTraits, offered: list[NameTraits], most: int
) -> tuple[list[int], list[str]]:
    """The matching name by name, from the words of the documentation."""
    steps = [
        ["sex", "tokens", "origin"], ["sex", "tokens"], ["sex", "tokens +-1"], ["sex"], []
    ]  # fmt: skip
    for step in steps:
        places = []
        for place, name in enumerate(offered):
            fits = {
                "sex": name.sex == own.sex,
                "tokens": name.tokens == own.tokens,
                "tokens +-1": name.tokens - own.tokens in (-1, 0, 1),
                "origin": name.origin == own.origin,
            }
            if all(fits[trait] for trait in step):
                places.append(place)
        if len(places) >= ENOUGH:
            break
    if len(places) <= most:
        return places, step
    if own.frequency is None:
        return places[:most], step

    def apart(place: int) -> tuple[float, int]:
        frequency = offered[place].frequency
        return (np.inf if frequency is None else abs(own.frequency - frequency), place)

    return sorted(sorted(places, key=apart)[:most]), [*step, "frequency"]


def test_matching_is_the_one_name_by_name() -> None:
    random = np.random.default_rng(9)

    def some(count: int) -> list[NameTraits]:
        return [
            NameTraits(
                random.choice([None, "f", "m"], p=[0.1, 0.5, 0.4]),
                int(random.choice([2, 3, 4, 9], p=[0.5, 0.3, 0.18, 0.02])),
                random.choice([None, "us", "es", "fi"]),
                # Few different ones, so that many are equally near.
                None if random.random() < 0.2 else float(random.integers(0, 6)),
            )
            for _ in range(count)
        ]

    steps = Counter()
    for offered in (some(2500), some(700), some(120), []):
        table = OfferedTraits.of(offered)
        for own in some(40):
            for most in (50, MOST_CONTROLS):
                match = match_controls(own, table, most)
                places, by = plain_match(own, offered, most)
                assert match.places.tolist() == places and list(match.by) == by
                steps[match.by] += 1
    assert len(steps) >= 8  # every step, with and without frequency


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 1000))
def test_auc_is_that_of_mann_and_whitney(members: int, others: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    high, low = random.integers(0, 9, members), random.integers(0, 9, others)
    expected = stats.mannwhitneyu(high, low).statistic / (members * others)
    assert auc(high, low) == pytest.approx(expected)
    roc = make_roc(high, low, 0)
    assert roc.auc == pytest.approx(
        (np.diff(roc.fpr) * (np.array(roc.tpr[1:]) + roc.tpr[:-1]) / 2).sum()
    )
    for threshold, fpr, tpr in zip(roc.thresholds, roc.fpr, roc.tpr, strict=True):
        assert fpr == pytest.approx((low >= threshold).mean())
        assert tpr == pytest.approx((high >= threshold).mean())


def test_the_aucs_interval_covers_as_often_as_it_says() -> None:
    random = np.random.default_rng(4)
    truth = stats.norm.cdf(1 / np.sqrt(2))
    covered = 0
    for trial in range(200):
        high, low = random.normal(1, 1, 60), random.normal(0, 1, 80)
        bounds = auc_interval(high, low, trial)
        covered += bounds[0] <= truth <= bounds[1]
    assert covered >= 180


def test_tpr_at_a_low_fpr_only_where_there_are_people_for_it() -> None:
    random = np.random.default_rng(5)
    members, others = random.normal(2, 1, 100), random.normal(0, 1, 298)
    short = tpr_at_fpr(members, others, 0.01)
    assert not short.estimable and short.non_members_needed == 299 and short.tpr is None
    others = np.append(others, -1.0)
    found = tpr_at_fpr(members, others, 0.01)
    worst = np.sort(others)[::-1]
    assert found.tpr == (members > worst[2]).mean()
    assert found.assured_tpr == (members > worst[0]).mean()
    assert found.assured_tpr_false_positives == 0


def test_nobody_is_shifted_onto_himself() -> None:
    for people in (2, 3, 7, 50):
        scores = np.zeros((people, people))
        np.fill_diagonal(scores, 1e9)
        assert shifted(scores, 0).max() == 0
        assert one_shift(scores.astype(np.int64).astype(np.int16), 0).max() == 0


def test_a_classifier_learns_what_is_there_and_nothing_else() -> None:
    random = np.random.default_rng(6)
    rows = random.normal(size=(300, 20))
    members, others = np.arange(100), np.arange(100, 290)
    blind = learned_scores(rows, members, others, 0)
    assert np.isnan(blind[290:]).all()
    assert 0.4 < auc(blind[members], blind[others]) < 0.6
    rows[:100, 3] += 2
    seeing = learned_scores(rows, members, others, 0)
    assert auc(seeing[members], seeing[others]) > 0.85
    assert np.isnan(learned_scores(rows, members[:3], others, 0)).all()


@pytest.mark.parametrize(("people", "dimensions"), [(60, 8), (30, 29), (30, 30), (12, 50)])
def test_a_ridge_regression_of_either_shape_is_the_least_of_its_loss(
    people: int, dimensions: int
) -> None:
    random = np.random.default_rng(people)
    rows, held = random.normal(size=(people, dimensions)), random.normal(size=(7, dimensions))
    target = np.where(np.arange(people) < people // 3, 1.0, -1.0)
    centre = rows.mean(axis=0)
    weight = np.where(target > 0, people / 2 / (target > 0).sum(), people / 2 / (target < 0).sum())
    strength = (weight[:, None] * (rows - centre) ** 2).sum() / people
    # The penalty as rows of their own: weighted least squares by QR, neither of the two forms.
    design = np.vstack(
        (np.sqrt(weight)[:, None] * (rows - centre), np.sqrt(strength) * np.eye(dimensions))
    )
    wanted = np.concatenate((np.sqrt(weight) * target, np.zeros(dimensions)))
    weights = np.linalg.lstsq(design, wanted, rcond=None)[0]
    assert ridge(rows, target, held) == pytest.approx((held - centre) @ weights, rel=1e-9)
    # And the other form, which the shape does not choose.
    scaled = np.sqrt(weight)[:, None] * (rows - centre)
    primal = np.linalg.inv(scaled.T @ scaled + strength * np.eye(dimensions))
    dual = np.linalg.inv(scaled @ scaled.T + strength * np.eye(people))
    for other in (primal @ scaled.T, scaled.T @ dual):
        expected = (held - centre) @ (other @ (np.sqrt(weight) * target))
        assert ridge(rows, target, held) == pytest.approx(expected, rel=1e-8)


def test_the_gate_fires_near_the_attack_and_not_at_chance() -> None:
    random = np.random.default_rng(7)
    truth = np.arange(100), np.arange(100, 300)
    noise = random.normal(size=300)
    assert not compare(noise, truth, 0.9, "name_only", 0).fires
    leak = noise - 1.2 * (np.arange(300) < 100)  # members score lower: as telling as higher
    found = compare(leak, truth, 0.9, "name_only", 0)
    assert found.fires and found.auc > 0.7 and found.share_of_advantage is not None
    assert found.share_of_advantage > 0.5
    few = np.arange(5), np.arange(100, 300)
    assert not compare(leak - 9 * (np.arange(300) < 100), few, 0.9, "name_only", 0).fires
    weak = noise + 0.3 * (np.arange(300) < 100)
    assert not compare(weak, truth, 0.95, "name_only", 0).fires
