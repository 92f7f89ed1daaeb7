"""PMI scores against a plain computation, one person, name and template at a time."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from idia_index.evaluation.pmi import NameScores, Photos, photos_of

TEMPLATES, OFFERED, DIM, SCALE = 3, 7, 8, 19.3


def unit(random: np.random.Generator, *shape: int) -> np.ndarray:
    rows = random.standard_normal((*shape, DIM)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def people(random: np.random.Generator, count: int) -> Photos:
    sizes = random.integers(1, 5, count)
    owners = np.repeat(np.arange(count), sizes)
    return photos_of(unit(random, len(owners)), owners, count)


def likelihood(photos: np.ndarray, name: np.ndarray, offered: np.ndarray) -> float:
    """P(name | photos): the name against those offered, photo by photo."""
    texts = np.vstack((name, offered)).astype(np.float64)
    return float(softmax(SCALE * photos @ texts.T, axis=1)[:, 0].mean())


def control_likelihood(photos: np.ndarray, place: int, offered: np.ndarray) -> float:
    return float(softmax(SCALE * photos @ offered.T.astype(np.float64), axis=1)[:, place].mean())


def runs(photos: Photos) -> list[np.ndarray]:
    return np.split(photos.images, photos.offsets[1:-1])


@pytest.mark.parametrize("among", [True, False])
def test_scores_are_the_definitions(among: bool) -> None:
    random = np.random.default_rng(3)
    tested, offered = people(random, 70), unit(random, TEMPLATES, OFFERED)
    references = tested if among else people(random, 9)
    names = unit(random, TEMPLATES, len(tested))
    places = list(range(len(tested))) if among else [None] * len(tested)
    scores = NameScores(offered, references, SCALE)
    found = list(scores.of(tested, lambda t, run: names[t, run], places))
    own, theirs = runs(tested), runs(references)
    for person in (0, 1, 33, 69):
        others = [run for q, run in enumerate(theirs) if q != places[person]]
        expected, controls = 0.0, np.zeros(OFFERED)
        for t in range(TEMPLATES):
            here = likelihood(own[person], names[t, person], offered[t])
            there = [likelihood(run, names[t, person], offered[t]) for run in others]
            expected += np.log(here / np.mean(there)) / TEMPLATES
            for c in range(OFFERED):
                here = control_likelihood(own[person], c, offered[t])
                there = [control_likelihood(run, c, offered[t]) for run in others]
                controls[c] += np.log(here / np.mean(there)) / TEMPLATES
        assert found[person].score == pytest.approx(expected, abs=1e-5)
        assert found[person].controls == pytest.approx(controls, abs=1e-5)


def test_a_name_fixed_p_value_ranks_the_person_among_the_others_alone() -> None:
    random = np.random.default_rng(4)
    tested, offered = people(random, 12), unit(random, TEMPLATES, OFFERED)
    names = unit(random, TEMPLATES, len(tested))
    scores = NameScores(offered, tested, SCALE)
    everybody = np.ones(len(tested), np.bool_)
    for person, found in enumerate(
        scores.of(tested, lambda t, run: names[t, run], range(len(tested)))
    ):
        logs = np.zeros(len(tested))
        for t in range(TEMPLATES):
            logs += [np.log(likelihood(r, names[t, person], offered[t])) for r in runs(tested)]
        beaten = sum(logs[q] >= logs[person] - 1e-9 for q in range(len(tested)) if q != person)
        assert found.name_fixed_p(everybody) == ((1 + beaten) / len(tested), len(tested) - 1)
        some = np.arange(len(tested)) < 6
        assert found.name_fixed_p(some)[1] == 6 - (person < 6)


def test_a_face_that_the_model_was_shown_with_its_name_scores_high() -> None:
    random = np.random.default_rng(5)
    offered, names = unit(random, TEMPLATES, 60), unit(random, TEMPLATES, 40)
    images = unit(random, 40, 3)
    images[:10] += 1.5 * names.mean(axis=0)[:10, None]
    images /= np.linalg.norm(images, axis=-1, keepdims=True)
    tested = photos_of(images.reshape(-1, DIM), np.repeat(np.arange(40), 3), 40)
    found = NameScores(offered, tested, SCALE).of(tested, lambda t, run: names[t, run], range(40))
    pmi = np.array([each.score for each in found])
    assert pmi[:10].min() > np.quantile(pmi[10:], 0.8)


def test_without_references_a_name_is_scored_by_its_likelihood() -> None:
    random = np.random.default_rng(6)
    tested, offered = people(random, 3), unit(random, TEMPLATES, OFFERED)
    names = unit(random, TEMPLATES, len(tested))
    scores = NameScores(offered, None, SCALE)
    for person, found in enumerate(scores.of(tested, lambda t, run: names[t, run], [None] * 3)):
        own = runs(tested)[person]
        logs = [np.log(likelihood(own, names[t, person], offered[t])) for t in range(TEMPLATES)]
        assert found.score == found.likelihood == pytest.approx(np.mean(logs), abs=1e-5)
        assert len(found.references) == 0
