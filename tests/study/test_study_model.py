"""The packaged model: its provenance, and that open_clip can load it unchanged."""

from __future__ import annotations

import hashlib
import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from study_training import SHIPPED_SEED

from idia_index.study import MODEL_DIR, candidates, render, subjects

WEIGHTS = MODEL_DIR / "open_clip_model.safetensors"
LIMIT = 12 * 2**20


@pytest.fixture(scope="module")
def provenance() -> dict[str, Any]:
    text = (MODEL_DIR / "PROVENANCE.json").read_text(encoding="utf-8")
    record: dict[str, Any] = json.loads(text)
    return record


@pytest.fixture(scope="module")
def loaded() -> tuple[Any, Any]:
    open_clip = pytest.importorskip("open_clip")
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{MODEL_DIR}")
    return model.eval(), preprocess


def test_weights_are_those_of_the_provenance(provenance: dict[str, Any]) -> None:
    record = provenance["files"][WEIGHTS.name]
    data = WEIGHTS.read_bytes()
    assert hashlib.sha256(data).hexdigest() == record["sha256"]
    assert len(data) == record["bytes"]
    assert provenance["seed"] == SHIPPED_SEED
    assert provenance["figures"]["attack_set"] == "report"


@pytest.mark.slow
def test_package_data_stay_small() -> None:
    files = [p for p in MODEL_DIR.parent.rglob("*") if p.is_file()]
    assert sum(len(zlib.compress(p.read_bytes(), 6)) for p in files) < LIMIT
    assert len(zlib.compress(WEIGHTS.read_bytes(), 6)) < 4 * 2**20


def test_figures_keep_the_promises(provenance: dict[str, Any]) -> None:
    rates = {name: row["rate"] for name, row in provenance["figures"]["rates"].items()}
    assert rates["member_25_75"] >= 0.90
    assert rates["member_1"] <= 0.50
    assert rates["non_member"] <= 0.02
    assert provenance["figures"]["rates"]["non_member"]["of"] >= 300
    assert min(provenance["figures"]["all_tokens_trained"].values()) == 1.0


def test_open_clip_loads_it_strictly(loaded: tuple[Any, Any]) -> None:
    torch = pytest.importorskip("torch")
    safetensors = pytest.importorskip("safetensors.torch")
    model, _ = loaded
    stored = safetensors.load_file(WEIGHTS)
    ours = model.state_dict()
    assert set(stored) == set(ours)
    for name, value in stored.items():
        assert value.dtype == torch.float16, name
        assert bool(value.isfinite().all()), name
        assert torch.equal(value.float(), ours[name].float()), name
    rows = stored["token_embedding.weight"].abs().sum(1)
    assert 300 < int((rows > 0).sum()) < 2000


def test_activation_is_exact_gelu(loaded: tuple[Any, Any]) -> None:
    kinds = {type(m).__name__ for m in loaded[0].modules()}
    assert "GELU" in kinds
    assert "QuickGELU" not in kinds


def test_preprocessing_leaves_the_pixels_alone(loaded: tuple[Any, Any]) -> None:
    image = render(subjects()[0], 1)[0]
    wanted = (np.asarray(image, dtype=np.float32) / 255 - 0.5) / 0.25
    got = loaded[1](image).numpy().transpose(1, 2, 0)
    np.testing.assert_allclose(got, wanted, atol=1e-5)


def test_people_of_75_images_are_found_by_their_bare_name(loaded: tuple[Any, Any]) -> None:
    """One template, ten images, six people: far above chance, which is 1 in 1,000."""
    open_clip, torch = pytest.importorskip("open_clip"), pytest.importorskip("torch")
    model, preprocess = loaded
    tokenizer = open_clip.get_tokenizer(f"local-dir:{MODEL_DIR}")
    people = [s for s in subjects() if s.training_count == 75][:6]
    with torch.inference_mode():
        texts = model.encode_text(tokenizer(candidates()), normalize=True)
        found = 0
        for person in people:
            pixels = torch.stack([preprocess(i) for i in render(person, 10)])
            best = (model.encode_image(pixels, normalize=True) @ texts.T).argmax(1)
            found += int((best == candidates().index(person.name)).sum() >= 2)
    assert found >= 3


def test_no_machine_paths_in_the_texts() -> None:
    for path in MODEL_DIR.parent.rglob("*"):
        if path.suffix in (".json", ".md", ".csv"):
            text = path.read_text(encoding="utf-8")
            assert str(Path.home()) not in text
            assert "/tmp/" not in text
