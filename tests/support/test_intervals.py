"""Intervals against SciPy and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import betainc
from scipy.stats import beta, binom, binomtest, false_discovery_control, hypergeom
from scipy.stats import t as student

from idia_index.cli.main import cli
from idia_index.errors import InputError
from idia_index.evaluation.controls import NameTraits, OfferedTraits, match_controls
from idia_index.evaluation.pvalues import adjusted, passing
from idia_index.pipelines.planning import (
    Wanted,
    controls_needed,
    images_needed,
    known_needed,
    members_needed,
    plan,
)
from idia_index.support.intervals import (
    Rate,
    clopper_pearson,
    hypergeometric_at_least,
    incomplete_beta,
    people_needed,
    share_interval,
    student_quantile,
    upper_bound,
)


@pytest.mark.slow
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


@given(st.floats(0.3, 3e5), st.floats(0.3, 3e5), st.floats(0, 1))
def test_incomplete_beta_is_scipys(a: float, b: float, x: float) -> None:
    assert incomplete_beta(a, b, x) == pytest.approx(float(betainc(a, b, x)), abs=2e-9)


def test_people_needed_for_a_low_rate() -> None:
    assert (people_needed(0.01), people_needed(0.001)) == (299, 2995)
    for rate, errors in ((0.01, 0), (0.01, 1), (0.02, 5), (0.001, 2)):
        people = people_needed(rate, errors)
        assert binom.cdf(errors, people, rate) <= 0.05 < binom.cdf(errors, people - 1, rate)
        assert upper_bound(errors, people) <= rate < upper_bound(errors, people - 1)


@pytest.mark.slow
@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_share_of_whole_people_has_the_exact_interval(case: tuple[int, int]) -> None:
    hits, total = case
    assert share_interval(hits / total, total) == pytest.approx(
        clopper_pearson(hits, total), abs=1e-6
    )


@given(st.integers(1, 30), st.data())
def test_hypergeometric_tail_is_scipys(total: int, data: st.DataObject) -> None:
    good, chosen = data.draw(st.integers(0, total)), data.draw(st.integers(1, total))
    least = data.draw(st.integers(0, chosen))
    assert hypergeometric_at_least(least, chosen, good, total) == pytest.approx(
        float(hypergeom.sf(least - 1, total, good, chosen)), abs=1e-12
    )


def last_too_few(tpr: float, margin: float, confidence: float, most: int) -> int:
    """The last number of members, up to `most`, whose interval reaches too far."""
    members = np.arange(1, most + 1)
    hits = np.array([round(tpr * n) for n in members.tolist()])
    level = (1 - confidence) / 2
    low = np.where(hits == 0, 0, beta.ppf(level, np.maximum(hits, 1), members - hits + 1))
    misses = members - hits
    high = np.where(misses == 0, 1, beta.ppf(1 - level, hits + 1, np.maximum(misses, 1)))
    wrong = np.flatnonzero(np.maximum(tpr - low, high - tpr) > margin)
    return int(members[wrong[-1]]) if len(wrong) else 0


@pytest.mark.parametrize("tpr", [0.005, 0.05, 1 / 3, 0.5, 0.8, 0.9, 0.99, 0.999])
@pytest.mark.parametrize("margin", [0.6, 0.2, 0.05, 0.02])
def test_members_needed_against_every_number_of_them(tpr: float, margin: float) -> None:
    for confidence in (0.6, 0.95, 0.99):
        members = members_needed(tpr, margin, confidence)
        assert members == last_too_few(tpr, margin, confidence, 2 * members + 100) + 1


def test_the_plan_says_enough_and_not_more() -> None:
    needed = plan(Wanted(subjects=100, known=10))
    assert needed.non_members == 299 and needed.members == members_needed(0.8, 0.05)
    assert controls_needed(1, 1, 0.05) == 19 and needed.control_names == 199
    with pytest.raises(InputError, match=r"--margin 1e-06: pass at least 0\.0001"):
        Wanted(margin=1e-6)


def smallest(subjects: int, known: int, controls: int) -> float:
    """The adjusted p-value of people who all have the smallest that so many controls allow."""
    p_values = [1 / (controls + 1)] * known + [1.0] * (subjects - known)
    return float(false_discovery_control(p_values, method="bh")[0])


def test_control_names_let_the_known_pass_together() -> None:
    for subjects in (1, 3, 30, 77, 240):
        for known in range(1, subjects + 1, 2):
            controls = controls_needed(subjects, known, 0.05)
            if controls is not None:
                assert smallest(subjects, known, controls) <= 0.05 + 1e-12
                assert smallest(subjects, known, controls - 1) > 0.05 + 1e-12
                # And so the audit finds.
                for given, passed in ((controls, known), (controls - 1, 0)):
                    p_values = [1 / (given + 1)] * known + [1.0] * (subjects - known)
                    assert passing(adjusted(p_values), 0.05).sum() == passed


def test_a_plan_asks_for_no_more_control_names_than_an_audit_uses() -> None:
    woman = NameTraits("f", 2, "us", 5.0)
    used = len(match_controls(woman, OfferedTraits.of([woman] * 20_000)).places)
    for subjects in (50, 51, 500, 5000):
        least = known_needed(subjects, 0.05)
        assert least is not None and smallest(subjects, least, used) <= 0.05 + 1e-12
        assert controls_needed(subjects, least, 0.05) is not None
        if least > 1:
            assert smallest(subjects, least - 1, used) > 0.05 + 1e-12
            assert plan(Wanted(subjects=subjects, known=least - 1)).control_names is None
    assert known_needed(5, 0.0005) is None and controls_needed(5, 5, 0.0005) is None


def test_the_plan_in_words_says_what_cannot_be() -> None:
    done = CliRunner().invoke(cli, ["plan", "--subjects", "500"])
    assert "not attainable: at most 999 are used" in done.output
    assert "10 or more people can" in done.output


def test_images_needed_against_the_sum_over_all_outcomes() -> None:
    def win(images: int, hit: float, rival: float) -> float:
        return sum(
            binom.pmf(k, images, hit + rival) * binom.sf(k // 2, k, hit / (hit + rival))
            for k in range(1, images + 1)
        )

    for hit, rival in ((0.3, 0.1), (0.5, 0.2), (0.2, 0.02)):
        images = images_needed(hit, rival)
        assert images is not None
        assert win(images, hit, rival) >= 0.95 > win(images - 1, hit, rival)
    assert images_needed(0.1, 0.2) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"fpr": 0.0},
        {"fpr": 1.5},
        {"errors": -1},
        {"errors": 10**14},
        {"known": 2},
        {"rival_rate": 0.9},
    ],
)
def test_a_claim_that_makes_no_sense_is_named(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=str(next(iter(wrong.values())))):
        Wanted(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("freedom", [1, 2, 9, 143, 2000])
@pytest.mark.parametrize("tail", [0.4, 0.025, 0.001])
def test_students_quantile_is_scipys(freedom: int, tail: float) -> None:
    assert student_quantile(freedom, tail) == pytest.approx(student(freedom).isf(tail), rel=1e-6)
