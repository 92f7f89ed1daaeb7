"""Embeddings of a grid of prompts against `open_clip.encode_text` of each prompt."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("open_clip")
import open_clip  # noqa: E402
import open_clip_helper as helper  # noqa: E402
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from torch.nn import functional as F  # noqa: E402, N812

from idia_index.backends.open_clip import OpenClipBackend  # noqa: E402
from idia_index.encode import embeddings  # noqa: E402
from idia_index.prompts.grid import PromptGrid  # noqa: E402
from idia_index.prompts.templates import JAIR2024, make_templates  # noqa: E402
from idia_index.study import MODEL_DIR, candidates  # noqa: E402

TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[OpenClipBackend, Any]]:
    folder = tmp_path_factory.mktemp("tiny")
    model = helper.build(helper.config())
    yield (
        OpenClipBackend(model=f"local-dir:{helper.save_folder(folder, helper.config(), model)}"),
        model,
    )


def alone(model: Any, grid: PromptGrid, tokenizer: Any = None) -> np.ndarray:
    """float32 [T, N, D], each prompt padded and encoded in a batch of its own."""
    tokenizer = tokenizer or open_clip.tokenizer._tokenizer  # which it has made for all
    texts = [text for t in range(len(grid.templates)) for text in grid.texts(t)]
    with torch.inference_mode():
        rows = torch.cat([model.encode_text(tokenizer([text])) for text in texts])
    return F.normalize(rows, dim=-1).numpy().reshape(len(grid.templates), len(grid.names), -1)


# Few words, so that names share prefixes of every length; letters of many scripts share none.
WORDS = st.sampled_from(["ann", "anna", "lee", "o'neill", "de", "la", "zoë", "w"]) | st.text(
    st.characters(categories=["L"]), min_size=1, max_size=4
)
NAMES = st.lists(
    st.lists(WORDS, min_size=1, max_size=5).map(" ".join), min_size=1, max_size=12, unique=True
)
TEMPLATES = st.lists(
    st.sampled_from([t.text for t in JAIR2024] + ["{0}!", "x{0}", "{0} " + "very " * 40]),
    min_size=1, max_size=3, unique=True,
)  # fmt: skip


@settings(max_examples=15, derandomize=True)
@given(names=NAMES, templates=TEMPLATES, nodes=st.integers(1, 400))
def test_grids_are_encode_text(
    tiny: tuple[OpenClipBackend, Any], names: list[str], templates: list[str], nodes: int
) -> None:
    backend, model = tiny
    assert backend.text_tower is not None
    backend.text_tower.pack_nodes = nodes
    grid = PromptGrid(make_templates(templates), names)
    got = embeddings.encode_grid(backend, grid, 0, len(names))
    assert np.abs(got - alone(model, grid)).max() < TOLERANCE


@pytest.mark.parametrize("words", [74, 75])
def test_a_prompt_that_fills_the_context_beside_short_ones(
    tiny: tuple[OpenClipBackend, Any], words: int
) -> None:
    backend, model = tiny
    grid = PromptGrid(make_templates(["{0}"]), ["a", "a a", "a " * words, "b"])
    got = embeddings.encode_grid(backend, grid, 0, 4)
    assert np.abs(got - alone(model, grid)).max() < TOLERANCE


def test_many_packs_side_by_side(tiny: tuple[OpenClipBackend, Any]) -> None:
    backend, model = tiny
    assert backend.text_tower is not None
    grid = PromptGrid(JAIR2024[:3], [f"name{i} of{i % 7}" for i in range(60)])
    backend.text_tower.pack_nodes = 77
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        got = embeddings.encode_grid(backend, grid, 0, 60)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)
    assert np.abs(got - alone(model, grid)).max() < TOLERANCE


@pytest.fixture(scope="module")
def study() -> tuple[OpenClipBackend, Any, np.ndarray, PromptGrid]:
    """The controlled study's model, and 15 of its names in all templates, each alone."""
    spec = f"local-dir:{MODEL_DIR}"
    model, _, _ = open_clip.create_model_and_transforms(spec)
    grid = PromptGrid(JAIR2024, candidates()[:15])
    expected = alone(model.eval(), grid, open_clip.get_tokenizer(spec))
    return OpenClipBackend(model=spec, device="cpu"), model, expected, grid


def test_the_controlled_model(study: tuple[OpenClipBackend, Any, np.ndarray, PromptGrid]) -> None:
    backend, _, expected, grid = study
    assert np.abs(embeddings.encode_grid(backend, grid, 0, 15) - expected).max() < TOLERANCE


def test_the_controlled_model_in_bfloat16() -> None:
    """All 21,000 prompts of the study, because it is the worst of them that counts."""
    spec, names = f"local-dir:{MODEL_DIR}", candidates()
    grid = PromptGrid(JAIR2024, names)
    exact, rounded = (
        embeddings.encode_grid(backend, grid, 0, len(names))
        for backend in (
            OpenClipBackend(model=spec, device="cpu"),
            OpenClipBackend(model=spec, device="cpu", dtype="bfloat16"),
        )
    )
    assert len(names) == 1000
    assert 0.9998 <= np.einsum("tnd,tnd->tn", rounded, exact).min() < 1 - 1e-6
