"""The GPU text tower, run on the CPU: the embeddings of `encode_text`, also under failures."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("open_clip")
import open_clip
import torch
from forked import in_a_fork
from hypothesis import given, settings
from hypothesis import strategies as st
from open_clip_helper import build, config, unit_texts

from idia_index.backends.open_clip_tokenizers import clip_bpe
from idia_index.backends.torch_gpu_text import GpuTextTower
from idia_index.backends.torch_text import PackedTextTower
from idia_index.encode.packs import halves, plan_packs
from idia_index.encode.tokens import text_tokens
from idia_index.errors import IdiaIndexError
from idia_index.support.tf32 import without_tf32

TEXTS = [
    f"{start} of {name}" for start in ("a photo", "an image", "x") for name in ("ab", "cd", "ef")
]


@cache
def tokens() -> Any:
    return text_tokens(clip_bpe(open_clip.SimpleTokenizer()), TEXTS, 77)


def packs(nodes: int, batch: int) -> Any:
    return plan_packs(tokens(), nodes=nodes, batch=batch)


def unit(tower: GpuTextTower, nodes: int = 20, batch: int = 4) -> np.ndarray:
    out = np.full((len(TEXTS), 16), np.nan, np.float32)
    for pack, rows in tower.embed_packs(packs(nodes, batch)):
        out[pack.rows] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return out


@pytest.fixture(scope="module", params=[False, True], ids=["gelu", "quick gelu"])
def model(request: pytest.FixtureRequest) -> Any:
    return build(config(quick_gelu=request.param))


def test_packs_give_the_embeddings_of_encode_text(model: Any) -> None:
    tower = GpuTextTower(PackedTextTower(model), torch.float32)
    for nodes, batch in ((9, 1), (20, 4), (200, 2)):
        assert np.abs(unit(tower, nodes, batch) - unit_texts(model, TEXTS)).max() < 1e-6


def test_products_in_bfloat16_stay_near(model: Any) -> None:
    found = unit(GpuTextTower(PackedTextTower(model), torch.bfloat16))
    assert np.einsum("nd,nd->n", found, unit_texts(model, TEXTS)).min() > 0.999


class Small(GpuTextTower):
    """A device that has memory for so many trees."""

    room = 2

    def forward(self, block: Any, shape: tuple[int, int]) -> Any:
        if shape[0] > self.room:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return super().forward(block, shape)


def test_a_pack_too_large_for_the_memory_goes_in_halves(model: Any) -> None:
    whole = unit(GpuTextTower(PackedTextTower(model), torch.float32), 9, 7)
    assert np.abs(unit(Small(PackedTextTower(model), torch.float32), 9, 7) - whole).max() < 1e-6


def test_without_memory_for_one_tree_the_error_says_what_to_do(model: Any) -> None:
    small = Small(PackedTextTower(model), torch.float32)
    small.room = 0
    with pytest.raises(IdiaIndexError, match=r"too little memory for a pack of .* device cpu"):
        unit(small)


def test_nothing_on_the_device_is_asked_for_its_value(model: Any) -> None:
    """Tensors of the device "meta" have none: whatever waits for a value raises."""
    tower = GpuTextTower(copy.deepcopy(PackedTextTower(model)).to("meta"), torch.bfloat16)
    (block, shape) = tower.staged(next(packs(20, 4)))
    found = tower.forward(block.to("meta"), shape)
    assert found.shape[1] == 16 and found.dtype is torch.float32


@settings(max_examples=25)
@given(st.integers(8, 40), st.integers(2, 6))
def test_halves_have_the_same_trees_and_reads(nodes: int, batch: int) -> None:
    for pack in packs(nodes, batch):
        if len(pack.ids) < 2:
            continue
        first, second = halves(pack)
        n = pack.ids.shape[1]
        again = np.concatenate([first.reads, second.reads + len(first.ids) * n])
        assert (again == pack.reads).all()
        assert (np.concatenate([first.rows, second.rows]) == pack.rows).all()
        assert (np.concatenate([first.mask, second.mask]) == pack.mask).all()


def _set_and_look(ours: str) -> None:
    products, convolutions = torch.backends.cuda.matmul, torch.backends.cudnn.conv
    products.fp32_precision = convolutions.fp32_precision = ours
    with without_tf32(torch):
        assert products.fp32_precision == convolutions.fp32_precision == "ieee"
        assert torch.backends.cudnn.enabled  # convolutions without cuDNN would be slow
    assert products.fp32_precision == convolutions.fp32_precision == ours

    # Two threads, the first in being the first out: the second must not put "ieee" back.
    first, second = without_tf32(torch), without_tf32(torch)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert products.fp32_precision == convolutions.fp32_precision == "ieee"
    second.__exit__(None, None, None)
    assert products.fp32_precision == convolutions.fp32_precision == ours


@pytest.mark.parametrize("ours", ["none", "tf32"])
def test_tf32_is_off_within_and_as_it_was_after(ours: str) -> None:
    # In a process of its own: once set by operator, PyTorch's exporter cannot read the settings.
    in_a_fork(_set_and_look, ours)
