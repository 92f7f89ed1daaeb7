"""Every published architecture and tag of open_clip: the same embeddings, or a clear refusal.

Crossed: all 115 architectures with published weights, small in width and depth only (towers of
open_clip, timm, Hugging Face; activations, pooling, attention masks, normalisation, image sizes,
context lengths, tokenizers with their cleaning, heads on either tower, CoCa), with all the
preprocessing and activations of their tags (mean, std, interpolation, way of resizing), as a tag
(whose weights a cache holds), as a file that says nothing of itself, and as a file with the
settings stated. One architecture of each kind; IDIA_INDEX_ALL_ARCHITECTURES=1 takes them all.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
open_clip = pytest.importorskip("open_clip")
pytest.importorskip("transformers")
import huggingface_hub.constants  # noqa: E402
import open_clip_helper as helper  # noqa: E402
import small_architectures as small  # noqa: E402

from idia_index.backends.open_clip import OpenClipBackend  # noqa: E402
from idia_index.backends.settings import SETTINGS  # noqa: E402
from idia_index.encode.backend import Backend  # noqa: E402
from idia_index.errors import InputError  # noqa: E402

PUBLISHED = sorted({architecture for architecture, _ in open_clip.list_pretrained()})
TESTED = (
    PUBLISHED
    if os.environ.get("IDIA_INDEX_ALL_ARCHITECTURES")
    else small.representatives(PUBLISHED)
)
PHOTOS = helper.pictures(2)


@pytest.fixture(scope="module")
def towers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("towers")
    small.save_towers(folder)
    return folder


@pytest.fixture
def quiet() -> Iterator[None]:
    logging.disable(logging.WARNING)  # that weights are random, that a file's hash is unknown
    yield
    logging.disable(logging.NOTSET)


def _theirs(architecture: str, tag: str) -> tuple[np.ndarray, np.ndarray]:
    model, _, transform = open_clip.create_model_and_transforms(
        architecture, tag, pretrained_text=False
    )
    tokenizer = open_clip.get_tokenizer(architecture)
    with torch.inference_mode():
        images = model.eval().encode_image(torch.stack(list(map(transform, PHOTOS))))
        texts = model.encode_text(tokenizer(list(small.TEXTS)))
    unit = torch.nn.functional.normalize
    return unit(images, dim=-1).numpy(), unit(texts, dim=-1).numpy()


def _mine(model: str, quick: bool, **options: Any) -> tuple[Any, ...] | None:
    """Image embeddings, text embeddings and notes; None where the activation is refused."""
    try:
        backend = OpenClipBackend(model=model, offline=True, **options)
    except InputError as error:
        wanted = "GELU, " if quick else "QuickGELU, "
        assert f"its weights were trained with {wanted}" in str(error) and "\n" not in str(error)
        return None
    encoder = Backend(backend)
    return encoder.encode_images(PHOTOS), encoder.encode_texts(list(small.TEXTS)), backend.notes


def _same(mine: tuple[Any, ...], theirs: tuple[np.ndarray, np.ndarray]) -> bool:
    return all(np.abs(own - other).max() < 1e-4 for own, other in zip(mine, theirs, strict=False))


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.parametrize("architecture", TESTED)
def test_embeddings_are_open_clips_own_or_the_difference_is_told(
    architecture: str, towers: Path, tmp_path: Path, quiet: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = small.small_config(architecture, towers)
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, architecture, config)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    state = small.random_state(architecture)
    tags = open_clip.list_pretrained_tags_by_model(architecture)
    each = {small.settings_of(architecture, tag): tag for tag in tags}
    file = tmp_path / "w.pt"
    torch.save(state, file)
    quick = bool(config.get("quick_gelu"))
    silent = _mine(f"{architecture}/{file}", quick)
    for tag in each.values():
        small.plant(tmp_path, architecture, tag, state)
        theirs = _theirs(architecture, tag)
        entry = open_clip.get_pretrained_cfg(architecture, tag)
        mine = _mine(f"{architecture}/{tag}", quick)
        fits = bool(entry.get("quick_gelu")) == quick
        assert fits == (mine is not None) and (mine is None or _same(mine, theirs)), tag
        # The same weights as a file that says nothing: the same, refused, or told as assumed.
        if silent is not None and not _same(silent, theirs):
            assert any(note.startswith("assumed: ") for note in silent[2]), tag
        stated = {key: entry[key] for key in SETTINGS}
        options = {} if fits else {"activation": "quick_gelu" if quick else "gelu"}
        found = _mine(f"{architecture}/{file}", quick, preprocess=stated, **options)
        assert found is not None and _same(found, theirs), tag
