"""The training script: resuming changes nothing, and the independent rule is correct."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("open_clip")
torch = pytest.importorskip("torch")

from study_training import build_population, training_items  # noqa: E402, I001 (finds those below)
import study_rule  # noqa: E402
import train  # noqa: E402
from study_recipe import Recipe  # noqa: E402

TINY = Recipe(steps=5, batch=8, warm_up=2, save_every=2)


def start(out: Path, seed: int = 5) -> Any:
    out.mkdir(exist_ok=True)
    items = training_items(build_population(seed), seed)[:24]
    return train.Run(items, seed, TINY, out)


@pytest.fixture
def one_thread() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
def test_resumed_run_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    whole = start(tmp_path / "whole")
    whole.train()
    broken = start(tmp_path / "broken")
    broken.train(until=3)  # the last checkpoint is of step 2
    again = start(tmp_path / "broken")
    assert again.resume()
    assert again.step == 2
    again.train()
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, again.model.state_dict()[name]), name


@pytest.mark.usefixtures("one_thread")
def test_checkpoint_of_another_seed_is_refused(tmp_path: Path) -> None:
    run = start(tmp_path)
    run.train(until=2)
    with pytest.raises(SystemExit, match="another recipe or seed"):
        start(tmp_path, seed=6).resume()
    assert not list(tmp_path.glob("*.part"))


def test_rule_breaks_similarity_ties_low_and_count_ties_never() -> None:
    texts = np.eye(3, dtype=np.float32)[None].repeat(2, axis=0)
    images = np.array([[1, 1, 0], [0, 1, 0], [0, 1, 0], [1, 0, 0]], dtype=np.float32)
    predicted = study_rule.predictions(texts, images)
    assert predicted.tolist() == [[0, 1, 1, 0]] * 2
    assert study_rule.winners(predicted, 3).tolist() == [-1, -1]
    assert study_rule.winners(predicted[:, :3], 3).tolist() == [1, 1]


def test_exact_intervals() -> None:
    assert study_rule.exact_interval(0, 8) == pytest.approx((0.0, 0.36942), abs=1e-5)
    assert study_rule.exact_interval(8, 8) == pytest.approx((0.63058, 1.0), abs=1e-5)
    stats = pytest.importorskip("scipy.stats")
    for k, n in ((1, 24), (4, 308), (44, 48), (150, 300)):
        wanted = stats.binomtest(k, n).proportion_ci(method="exact")
        assert study_rule.exact_interval(k, n) == pytest.approx(tuple(wanted), abs=1e-9)
