"""The leak gate without a model: silent on clean splits, and detects a frame around photos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from idia_index.evaluation.baselines import (
    ALARM,
    LEARNED_ALARM,
    BlindScores,
    compare,
    largest_leak,
    learned_scores,
    standardized,
)
from idia_index.evaluation.records.baselines import BaselineRow, Baselines
from idia_index.report.text import leak_text, leak_warnings
from idia_index.subjects.photo_features import FEATURES, photo_features
from idia_index.subjects.records import Subject


def people(folder: Path, framed: int, plain: int, seed: int) -> list[Subject]:
    random = np.random.default_rng(seed)
    found = []
    for number in range(framed + plain):
        pixels = random.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        image = Image.fromarray(pixels).resize((40, 40))
        if number < framed:
            image = ImageOps.expand(image, 4, "white")
        path = folder / f"{number}.png"
        image.save(path)
        found.append(Subject(f"Name {number}", (path,)))
    return found


def row(features: np.ndarray, members: int, seed: int) -> BaselineRow:
    places = np.arange(len(features))
    truth = places[:members], places[members:]
    scores = learned_scores(standardized(features), *truth, seed)
    return compare(scores, truth, 0.93, "model_free")


def limit(features: np.ndarray, members: int, joint: float) -> float:
    places = np.arange(len(features))
    return largest_leak(features, (places[:members], places[members:]), joint)


@pytest.mark.slow
@pytest.mark.parametrize("a_side", [10, 20, 50, 140])
def test_clean_splits_are_quiet_and_half_framed_ones_are_seen_or_not_excluded(a_side: int) -> None:
    random = np.random.default_rng(a_side)
    spread = np.r_[2 * np.ones(10), 0.5 * np.ones(FEATURES - 10)]
    alarms, missed, repeats = 0, 0, 150
    for seed in range(repeats):
        clean = spread * random.standard_normal((2 * a_side, FEATURES))
        alarms += row(clean, a_side, seed).fires
        framed = clean.copy()
        framed[: a_side // 2, 0] += 12  # a leak of AUC 0.75 at best
        found = row(framed, a_side, seed)
        missed += not found.fires and limit(framed, a_side, found.auc_ci99[1]) < 0.75
    assert alarms / repeats <= 0.03  # 0.5 % in long runs
    assert missed == 0


def test_a_frame_around_the_members_photos_is_seen(tmp_path: Path) -> None:
    features = photo_features(people(tmp_path, 30, 30, 1))
    assert features.shape == (60, FEATURES)
    assert row(features, 30, 0).fires and row(features, 30, 0).auc > 0.95
    (tmp_path / "plain").mkdir()
    assert not row(photo_features(people(tmp_path / "plain", 0, 60, 2)), 30, 0).fires


def test_a_photo_that_has_gone_says_nothing(tmp_path: Path) -> None:
    gone = Subject("A B", (tmp_path / "gone.png",))
    assert not photo_features([gone]).any()


def test_the_words_bound_a_leak_and_never_deny_one() -> None:
    quiet = BaselineRow("model_free", "model-free", "", 0.55, (0.44, 0.66), 0.1, False)
    said = leak_text(baselines(quiet), 100)
    assert "No leak of more than AUC 0.66 was seen among 100 people" in said
    assert "not excluded" in said and not leak_warnings(baselines(quiet))
    loud = BaselineRow("model_free", "model-free", "", 0.8, (0.7, 0.9), 0.7, True)
    assert leak_text(baselines(loud), 100) == ""
    assert "model-free: AUC 0.80" in leak_warnings(baselines(loud))[0]


def baselines(row: BaselineRow) -> Baselines:
    return Baselines(0.93, row.fires, 0.5, 10, ALARM, LEARNED_ALARM, 20, (row,), 0.66, None, None)


def test_results_of_before_have_no_such_score() -> None:
    assert BlindScores(np.zeros(1), np.zeros(1), np.zeros(1)).features is None
