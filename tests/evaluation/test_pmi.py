"""PMI scores against a plain computation per person, name and template."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from idia_index.evaluation.pmi import NameScores, Photos, Trial, photos_of
from idia_index.evaluation.references import References

TEMPLATES, OFFERED, DIM, SCALE = 3, 7, 8, 19.3


def unit(random: np.random.Generator, *shape: int) -> np.ndarray:
    rows = random.standard_normal((*shape, DIM)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def people(random: np.random.Generator, count: int) -> Photos:
    sizes = random.integers(1, 5, count)
    owners = np.repeat(np.arange(count), sizes)
    return photos_of(unit(random, len(owners)), owners, count)


def likelihood(
    photos: np.ndarray, name: np.ndarray, offered: np.ndarray, scale: float = SCALE
) -> float:
    """P(name | photos): the name against those offered, photo by photo."""
    texts = np.vstack((name, offered)).astype(np.float64)
    return float(softmax(scale * photos @ texts.T, axis=1)[:, 0].mean())


def control_likelihood(photos: np.ndarray, place: int, offered: np.ndarray, scale: float) -> float:
    return float(softmax(scale * photos @ offered.T.astype(np.float64), axis=1)[:, place].mean())


def runs(photos: Photos) -> list[np.ndarray]:
    return np.split(photos.images, photos.offsets[1:-1])


@pytest.mark.slow
@pytest.mark.parametrize("scale", [SCALE, 200.0])  # of the second, P is below what float32 has
@pytest.mark.parametrize("among", [True, False])
def test_scores_are_the_definitions(among: bool, scale: float) -> None:
    random = np.random.default_rng(3)
    tested, offered = people(random, 70), unit(random, TEMPLATES, OFFERED)
    references = tested if among else people(random, 9)
    names = unit(random, TEMPLATES, len(tested))
    places = list(range(len(tested))) if among else [None] * len(tested)
    scores = NameScores(offered, references, scale)
    trials = [Trial(place, 1) for place in places]
    found = list(scores.of(tested, lambda t, run: names[t, run], trials))
    own, theirs = runs(tested), runs(references)
    for person in (0, 1, 33, 69):
        others = [run for q, run in enumerate(theirs) if q != places[person]]
        expected, controls = 0.0, np.zeros(OFFERED)
        for t in range(TEMPLATES):
            here = likelihood(own[person], names[t, person], offered[t], scale)
            there = [likelihood(run, names[t, person], offered[t], scale) for run in others]
            expected += np.log(here / np.mean(there)) / TEMPLATES
            for c in range(OFFERED):
                here = control_likelihood(own[person], c, offered[t], scale)
                there = [control_likelihood(run, c, offered[t], scale) for run in others]
                controls[c] += np.log(here / np.mean(there)) / TEMPLATES
        assert found[person].score == pytest.approx(expected, abs=5e-7 * scale)
        assert found[person].controls == pytest.approx(controls, abs=5e-7 * scale)


@pytest.mark.parametrize("photos", [1, 2])
def test_a_name_fixed_p_value_ranks_the_person_among_the_others_alone(photos: int) -> None:
    random = np.random.default_rng(4)
    tested, offered = people(random, 12), unit(random, TEMPLATES, OFFERED)
    names = unit(random, TEMPLATES, len(tested))
    sizes = np.diff(tested.offsets)
    scores = NameScores(offered, tested, SCALE)
    trials = [Trial(person, min(photos, int(size))) for person, size in enumerate(sizes)]
    everybody = np.ones(len(tested), np.bool_)
    found = list(scores.of(tested, lambda t, run: names[t, run], trials))
    for person, (each, trial) in enumerate(zip(found, trials, strict=True)):

        def log(photos: np.ndarray, person: int = person) -> float:
            each = (likelihood(photos, names[t, person], offered[t]) for t in range(TEMPLATES))
            return float(np.mean(np.log(list(each))))

        size = trial.photos
        others = [log(run[:size]) for q, run in enumerate(runs(tested))
                  if q != person and len(run) >= size]  # fmt: skip
        own = runs(tested)[person]
        groups = [own[i : i + size] for i in range(0, len(own) - size + 1, size)]
        beaten = [sum(other >= log(group) - 1e-9 for other in others) for group in groups]
        ps = sorted((1 + count) / (len(others) + 1) for count in beaten)
        at_least_half = next(p for i, p in enumerate(ps) if 2 * (i + 1) >= len(ps))
        expected = ps[0] if len(ps) == 1 else min(1.0, 2 * at_least_half)
        assert each.name_fixed_p(everybody) == (pytest.approx(expected), len(others))
        some = np.arange(len(tested)) < 6
        fit = sum(sizes[q] >= size for q in range(6) if q != person)
        assert each.name_fixed_p(some)[1] == fit


@pytest.mark.slow
def test_a_name_fixed_p_value_holds_whatever_the_numbers_of_photos() -> None:
    """A mean of many photos is seldom small: held against single photos it would be too large."""
    random = np.random.default_rng(8)
    offered, name = 2 * unit(random, 1, 30), unit(random, 1, 1)
    small = []
    for _ in range(400):
        photos = unit(random, 60 + 9)
        owners = np.r_[np.arange(60), np.full(9, 60)]
        everybody = photos_of(photos, owners, 61)
        references = References.given(everybody.take(np.arange(60)), ["f"] * 60, ["f"])
        trial = references.trial(0, 9)
        assert trial.photos == 1
        scores = NameScores(offered, references.photos, SCALE)
        own = everybody.take(np.array([60]))
        (found,) = scores.of(own, lambda t, run: name[t, run], [trial])
        (comparable,) = references.comparable(0)
        small.append(found.name_fixed_p(comparable)[0] <= 0.05)
    assert np.mean(small) <= 0.05


def test_who_is_comparable_is_told_by_the_sex_or_held_against_both() -> None:
    random = np.random.default_rng(9)
    sexes = ["f"] * 30 + ["m"] * 30 + [None] * 5
    photos = photos_of(unit(random, 65), np.arange(65), 65)
    references = References.given(photos, sexes, ["f", None, "m"])
    assert [group.sum() for group in references.comparable(0)] == [30]
    assert [group.sum() for group in references.comparable(1)] == [30, 30]
    few = References.given(photos.take(np.arange(40)), sexes[:40], ["m"])
    assert [group.sum() for group in few.comparable(0)] == [40]


def test_a_face_that_the_model_was_shown_with_its_name_scores_high() -> None:
    random = np.random.default_rng(5)
    offered, names = unit(random, TEMPLATES, 60), unit(random, TEMPLATES, 40)
    images = unit(random, 40, 3)
    images[:10] += 1.5 * names.mean(axis=0)[:10, None]
    images /= np.linalg.norm(images, axis=-1, keepdims=True)
    tested = photos_of(images.reshape(-1, DIM), np.repeat(np.arange(40), 3), 40)
    trials = [Trial(person, 3) for person in range(40)]
    found = NameScores(offered, tested, SCALE).of(tested, lambda t, run: names[t, run], trials)
    pmi = np.array([each.score for each in found])
    assert pmi[:10].min() > np.quantile(pmi[10:], 0.8)


def test_without_references_a_name_is_scored_by_its_likelihood() -> None:
    random = np.random.default_rng(6)
    tested, offered = people(random, 3), unit(random, TEMPLATES, OFFERED)
    names = unit(random, TEMPLATES, len(tested))
    scores = NameScores(offered, None, SCALE)
    trials = [Trial(None, int(size)) for size in np.diff(tested.offsets)]
    for person, found in enumerate(scores.of(tested, lambda t, run: names[t, run], trials)):
        own = runs(tested)[person]
        logs = [np.log(likelihood(own, names[t, person], offered[t])) for t in range(TEMPLATES)]
        assert found.score == pytest.approx(np.mean(logs), abs=1e-5)
        assert len(found.references) == 0
