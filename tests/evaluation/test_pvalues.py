"""P-values, their null, matching, ROC and baselines against SciPy and plain implementations."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from idia_index.evaluation.auc import auc, make_roc
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
    adjusted,
    e_bh,
    e_values,
    excess_of_small,
    expected_small,
    p_value,
    passing,
    rule_wins,
)


def test_the_rank_of_the_true_name() -> None:
    assert p_value(3.0, [1, 2, 2.5]) == 0.25  # the smallest that three controls allow
    assert p_value(2.0, [1, 2, 3]) == 0.75  # an equal score counts against the name
    assert p_value(0.0, []) == 1


@pytest.mark.slow
@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
def test_adjusted_p_values_are_scipys(p_values: list[float]) -> None:
    expected = stats.false_discovery_control(p_values, method="bh")
    assert adjusted(p_values) == pytest.approx(expected, abs=1e-12)


@given(st.integers(1, 200), st.sampled_from([19, 39, 99, 999]), st.integers(0, 200))
def test_an_excess_of_small_p_values_is_the_binomials_tail(
    people: int, controls: int, small: int
) -> None:
    small = min(small, people)
    p_values = np.ones(people)
    p_values[:small] = 0.05
    sizes = np.full(people, controls)
    chance = np.floor((controls + 1) / 20 + 1e-9) / (controls + 1)
    expected = stats.binom.sf(small - 1, people, chance)
    assert excess_of_small(p_values, sizes) == pytest.approx(expected, abs=1e-9)
    assert expected_small(sizes) == pytest.approx(people * chance)


@pytest.mark.slow
@pytest.mark.parametrize("people", [308, 3000, 10000])
def test_healthy_p_values_are_rarely_warned_of(people: int) -> None:
    random = np.random.default_rng(12)
    controls = random.choice([99, 412, 999], people)
    runs = 400
    warned = 0
    for _ in range(runs):
        p_values = (1 + random.integers(0, controls + 1)) / (controls + 1)
        warned += excess_of_small(p_values, controls) < 0.05
    assert warned <= stats.binom.ppf(0.999, runs, 0.05)


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 1000))
def test_auc_is_that_of_mann_and_whitney(members: int, others: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    high, low = random.integers(0, 9, members), random.integers(0, 9, others)
    expected = stats.mannwhitneyu(high, low).statistic / (members * others)
    assert auc(high, low) == pytest.approx(expected)
    roc = make_roc(high, low)
    assert roc.auc == pytest.approx(
        (np.diff(roc.fpr) * (np.array(roc.tpr[1:]) + roc.tpr[:-1]) / 2).sum()
    )
    for threshold, fpr, tpr in zip(roc.thresholds, roc.fpr, roc.tpr, strict=True):
        assert fpr == pytest.approx((low >= threshold).mean())
        assert tpr == pytest.approx((high >= threshold).mean())


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
    assert not compare(noise, truth, 0.9, "name_only").fires
    leak = noise - 1.2 * (np.arange(300) < 100)  # members score lower: as telling as higher
    found = compare(leak, truth, 0.9, "name_only")
    assert found.fires and found.auc > 0.7 and found.share_of_advantage is not None
    assert found.share_of_advantage > 0.5
    few = np.arange(5), np.arange(100, 300)
    assert not compare(leak - 9 * (np.arange(300) < 100), few, 0.9, "name_only").fires
    weak = noise + 0.3 * (np.arange(300) < 100)
    assert not compare(weak, truth, 0.95, "name_only").fires


@pytest.mark.parametrize("k", [1, 20, 99, 999])
def test_an_e_value_has_mean_one_where_no_name_stands_out(k: int) -> None:
    ranks = np.arange(1, k + 2) / (k + 1)  # each equally likely
    values = e_values(ranks, np.full(k + 1, k))
    assert values.mean() == pytest.approx(1, abs=1e-12)
    assert (np.diff(values) < 0).all()  # so that ties, which enlarge p, make it smaller


@given(st.lists(st.integers(1, 100), min_size=1, max_size=30), st.sampled_from([0.05, 0.2, 0.5]))
def test_e_bh_is_its_definition(ranks: list[int], rate: float) -> None:
    values = e_values(np.array(ranks) / 100, np.full(len(ranks), 99))
    kept = [
        k
        for k in range(1, len(values) + 1)
        if sum(v * (1 + 1e-9) >= len(values) / (rate * k) for v in values) >= k
    ]
    bound = len(values) / (rate * max(kept)) if kept else np.inf
    assert e_bh(values, rate).tolist() == (values * (1 + 1e-9) >= bound).tolist()


def test_e_bh_holds_its_rate_where_people_depend_on_each_other() -> None:
    """Five names that do not stand out, k of which have p = k / 20 together, by chance w(k).

    Each p is uniform on 1 / 20 to 1, yet Benjamini-Hochberg at 25 % finds somebody in 57 %.
    """
    people, controls, rate = 5, 19, 0.25
    wrong = {"BH": 0.0, "e-BH": 0.0}
    uniform = 0.0
    for k in range(1, people + 1):
        chance = people / ((controls + 1) * k)
        uniform += chance * k / people
        p_values = np.array([k / 20] * k + [0.9] * (people - k))
        wrong["BH"] += chance * passing(adjusted(p_values), rate).any()
        values = e_values(p_values, np.full(people, controls))
        wrong["e-BH"] += chance * e_bh(values, rate).any()
    assert uniform == pytest.approx(people / (controls + 1))
    assert wrong["BH"] > 2 * rate and wrong["e-BH"] <= rate
