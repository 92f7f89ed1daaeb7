"""Draws and votes of the evaluation against a plain implementation."""

from __future__ import annotations

import hashlib
from collections import Counter
from random import Random

import numpy as np
import pytest

from idia_index.errors import InputError
from idia_index.evaluation.analysis import share_of_pairs
from idia_index.evaluation.counting import correct_templates
from idia_index.evaluation.draws import draw_images, resamples, shuffled
from idia_index.evaluation.measured import Measured
from idia_index.evaluation.protocol import (
    PAPER_SIZES,
    Drawn,
    band,
    draw_correct,
    full_correct,
    make_bins,
    rate_curve,
)


def plain_correct(predictions: list[int], true_name: int) -> bool:
    ranked = Counter(predictions).most_common()
    tie = len(ranked) > 1 and ranked[0][1] == ranked[1][1]
    return not tie and ranked[0][0] == true_name


def make_measured(predictions: np.ndarray, images: list[int], name_ids: list[int]) -> Measured:
    empty = np.zeros(predictions.shape, np.float32)
    return Measured(
        offsets=np.concatenate(([0], np.cumsum(images))).astype(np.int64),
        name_ids=np.array(name_ids, np.int64),
        predictions=predictions,
        top=empty,
        second=empty,
        rivals=predictions,
        true=empty,
        pool_sizes=np.zeros(0, np.int64),
        pool_predictions=np.zeros((0, *predictions.shape), np.int64),
        pool_unknown=np.zeros(0),
    )


@pytest.mark.slow
def test_ten_thousand_random_draws_agree_with_the_plain_rule() -> None:
    random = np.random.default_rng(0)
    cases = ties = wins = 0
    while cases < 10_000:
        templates, images, names = random.integers(1, [22, 31, 12])
        table = random.integers(0, names, (templates, images))
        true_name = int(random.integers(0, names))
        drawn = random.random((8, images)) < random.random()
        drawn[:, random.integers(images)] = True
        correct = correct_templates(table, true_name, drawn)
        assert correct.shape == (8, templates)
        alone = correct_templates(table, true_name, drawn[:1])  # counted in another way
        assert (alone == correct[:1]).all() and alone.shape == (1, templates)
        for d, mask in enumerate(drawn):
            expected = [plain_correct(row[mask].tolist(), true_name) for row in table]
            assert correct[d].tolist() == expected
            counts = [Counter(row[mask].tolist()).most_common(2) for row in table]
            ties += sum(len(c) > 1 and c[0][1] == c[1][1] for c in counts)
            wins += sum(expected)
            cases += 1
    assert ties > 10_000 and wins > 10_000


def test_people_with_different_numbers_of_images() -> None:
    random = np.random.default_rng(1)
    images, ids = [30, 45, 31], [2, 0, 7]
    table = random.integers(0, 6, (21, sum(images)))
    measured = make_measured(table, images, ids)
    people = [(0, "Ann"), (2, "Cyd")]
    drawn = draw_correct(measured, people, [1, 5, 30], 4, seed=3)
    assert drawn.correct.shape == (3, 4, 2)
    for column, (place, name) in enumerate(people):
        start = measured.offsets[place]
        masks = draw_images(name, images[place], [1, 5, 30], 4, seed=3)
        for s in range(3):
            for r in range(4):
                rows = table[:, start : start + images[place]][:, masks[s, r]]
                right = sum(plain_correct(row.tolist(), ids[place]) for row in rows)
                assert drawn.correct[s, r, column] == right
    everything = [
        sum(plain_correct(row.tolist(), ids[p]) for row in table[:, measured.of(p)])
        for p in range(3)
    ]
    assert full_correct(measured).tolist() == everything
    part = measured.take(np.array([2, 0]))
    assert full_correct(part).tolist() == [everything[2], everything[0]]


def test_draws_take_what_is_asked_for_and_every_image_alike() -> None:
    drawn = draw_images("Ann Lee", 30, PAPER_SIZES, 400, seed=0)
    assert drawn.shape == (16, 400, 30)
    assert (drawn.sum(axis=2) == np.array(PAPER_SIZES)[:, None]).all()
    share = drawn[:-1].mean(axis=1)
    expected = np.array(PAPER_SIZES[:-1])[:, None] / 30
    assert np.abs(share - expected).max() < 0.12  # 4.8 standard deviations at the most


def test_a_draw_depends_on_person_size_and_number_alone() -> None:
    alone = draw_images("Ann Lee", 30, [7], 5, seed=4)
    among = draw_images("Ann Lee", 30, [1, 7, 30], 9, seed=4)
    assert (alone[0] == among[1, :5]).all()
    assert (alone != draw_images("Ann Lee", 30, [7], 5, seed=5)).any()
    assert (alone != draw_images("Ann Li", 30, [7], 5, seed=4)).any()


def test_draws_are_those_of_their_definition() -> None:
    # The words of the module's own docstring, step by step.
    words = np.frombuffer(hashlib.sha256(b"Ann Lee").digest()[:16], "<u4").tolist()
    stream = np.random.PCG64(np.random.SeedSequence([4, *words]))
    stream.advance(7 * 2**40)
    for draw in draw_images("Ann Lee", 30, [7], 5, seed=4)[0]:
        keys = [(int(word) >> 16 << 16) | i for i, word in enumerate(stream.random_raw(30))]
        assert sorted(np.flatnonzero(draw)) == sorted(np.argsort(np.array(keys, "u8"))[:7])


@pytest.mark.parametrize("sizes", [[], [0], [3, 1], [2, 2], [31]])
def test_sizes_that_cannot_be_drawn(sizes: list[int]) -> None:
    with pytest.raises(InputError, match=r"sizes .*30 images of 'Ann'"):
        draw_images("Ann", 30, sizes, 1, seed=0)


def test_rates_are_means_over_draws() -> None:
    correct = np.array([[[0, 2, 5], [1, 0, 5]], [[3, 3, 5], [3, 0, 5]]], np.int16)
    curve = rate_curve(Drawn((1, 2), correct), np.array([True, True, False]), 1, seed=0)
    assert curve is not None and curve.people == 2
    assert curve.mean.tolist() == [0.5, 0.75]
    # Over draws - 1: rates 0.5 and 1 of two draws.
    assert curve.sd.tolist() == [0.0, pytest.approx(0.25 * 2**0.5)]
    assert (curve.low <= curve.mean).all() and (curve.mean <= curve.high).all()
    assert rate_curve(Drawn((1, 2), correct), np.zeros(3, np.bool_), 1, seed=0) is None


def test_no_band_is_narrower_than_the_exact_interval() -> None:
    low, high = band(np.ones((1, 24)), seed=0)
    assert low[0] == pytest.approx(0.025 ** (1 / 24), abs=1e-5) and high[0] == 1
    random = np.random.default_rng(0)
    wide = (random.random((1, 300)) < 0.5).astype(float)
    low, high = band(wide, seed=0)
    se = 1.96 * np.sqrt(0.25 / 300)
    assert high[0] - low[0] == pytest.approx(2 * se, rel=0.15)


def plain_ratios(hits: list[int], totals: list[int], samples: int) -> list[float]:
    people, chance = list(zip(hits, totals, strict=True)), Random(5)
    ratios = []
    for _ in range(samples):
        sample = chance.choices(people, k=len(people))
        ratios.append(sum(h for h, _ in sample) / sum(t for _, t in sample))
    return sorted(ratios)


@pytest.mark.slow
def test_the_interval_of_pairs_is_of_their_own_rate_where_totals_differ() -> None:
    chance = np.random.default_rng(2)
    totals = chance.choice([40, 99, 400, 999], 80)
    rates = np.where(totals < 100, 0.3, 0.02)  # those with few controls have the hits
    for hits, of in (
        ([0] * 10 + [30] * 10, [999] * 10 + [99] * 10),
        (chance.binomial(totals, rates).tolist(), totals.tolist()),
        ([0, 3, 999], [99, 99, 999]),
    ):
        found = share_of_pairs(np.array(hits), np.array(of), 0)
        assert found.ci95 is not None and found.rate is not None
        low, high = found.ci95
        assert found.rate == sum(hits) / sum(of) and low < found.rate < high
        plain = plain_ratios(hits, of, 20_000)
        for bound, share in ((low, 0.025), (high, 0.975)):
            # Within what 2,000 samples leave open: four standard errors of the share below.
            assert plain[int(20_000 * (share - 0.014))] <= bound
            assert bound <= plain[min(int(20_000 * (share + 0.014)), 19_999)]


def test_who_is_in_no_pair_does_not_count_for_the_interval() -> None:
    hits, totals = np.array([0, 4, 30]), np.array([999, 200, 99])
    with_others = np.array([0, 0, 4, 0, 30]), np.array([0, 999, 200, 0, 99])
    assert share_of_pairs(*with_others, 3) == share_of_pairs(hits, totals, 3)
    assert share_of_pairs(np.zeros(2, np.int64), np.zeros(2, np.int64), 3).ci95 is None


def test_bootstrap_samples_have_as_many_people_as_there_are() -> None:
    counts = resamples(3, 50, 200)
    assert counts.shape == (200, 50) and (counts.sum(axis=1) == 50).all()
    assert abs(counts.mean() - 1) < 1e-6 and counts.max() > 2
    assert sorted(shuffled(1, 9).tolist()) == list(range(9))


def test_bins_follow_the_data_or_the_edges() -> None:
    counts = [1, 1, 75, None, 10, 0]
    members = np.array([True, True, True, True, True, False])
    own = make_bins(counts, members, None)
    assert [(b.label, int(b.members.sum())) for b in own] == [("1", 2), ("10", 1), ("75", 1)]
    cut = make_bins(counts, members, [0, 10, 50])
    assert [b.label for b in cut] == ["0 to 9", "10 to 49", "50 or more"]
    many = make_bins(list(range(0, 100, 5)), np.ones(20, np.bool_), None)
    assert [b.label for b in many] == ["0 to 24", "25 to 49", "50 to 74", "75 to 99"]
    with pytest.raises(InputError, match="bins"):
        make_bins(counts, members, [5, 5])
