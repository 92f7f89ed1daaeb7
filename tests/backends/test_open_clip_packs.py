"""Packs against `encode_text` of each padded prompt: random trees, every kind of tower."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("open_clip")
import open_clip_helper as helper  # noqa: E402
from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from open_clip.model import CLIPTextCfg  # noqa: E402
from torch.nn import functional as F  # noqa: E402, N812

from idia_index.backends import torch_products  # noqa: E402
from idia_index.backends.torch_cpu_text import CpuTextTower  # noqa: E402
from idia_index.backends.torch_text import PackedTextTower, pack_refusal  # noqa: E402
from idia_index.encode.packs import PAD, plan_packs  # noqa: E402
from idia_index.types import Pack  # noqa: E402

CONTEXT, START, END = 12, 18, 19
TEXT = {"context_length": CONTEXT, "vocab_size": 20}
# One model of each sort that packs must compute exactly.
SORTS: dict[str, dict[str, Any]] = {
    "plain": helper.config(TEXT),
    "quickgelu": helper.config(TEXT, quick_gelu=True),
    "custom text": helper.config(TEXT, custom_text=True),
    "layer scale": helper.config({**TEXT, "ls_init_value": 0.3}),
    "linear projection": helper.config({**TEXT, "proj_bias": True}, custom_text=True),
    "no projection": helper.config({**TEXT, "proj_type": "none"}, custom_text=True),
    "eos": helper.config({**TEXT, "pool_type": "eos", "eos_id": END}),
    "eps": helper.config({**TEXT, "norm_kwargs": {"eps": 1e-2}}),
    "tanh": helper.config({**TEXT, "act_kwargs": {"approximate": "tanh"}}),
    "one layer": helper.config({**TEXT, "layers": 1}),
    "narrow mlp": helper.config({**TEXT, "mlp_ratio": 1.5}),
}
if "eos_id" not in {field.name for field in fields(CLIPTextCfg)}:  # older open_clips
    del SORTS["eos"]
MODELS = {name: helper.build(cfg, seed) for seed, (name, cfg) in enumerate(SORTS.items())}
TOWERS = {name: PackedTextTower(model).eval() for name, model in MODELS.items()}
CPU_TOWERS = {name: CpuTextTower(tower, torch.float32) for name, tower in TOWERS.items()}

# Few different tokens, so that prompts share prefixes of every length; some share none.
BODIES = st.lists(
    st.lists(st.integers(1, 3) | st.integers(1, 17), max_size=CONTEXT - 2), min_size=1, max_size=30
)


def _framed(bodies: list[list[int]]) -> tuple[Any, Any]:
    """Prompts as the planner takes them (PAD after the end) and as open_clip does (0)."""
    tokens = np.full((len(bodies), CONTEXT), PAD, np.int32)
    for row, body in enumerate(bodies):
        tokens[row, : len(body) + 2] = [START, *body, END]
    return tokens, torch.from_numpy(np.where(tokens == PAD, 0, tokens).astype(np.int64))


def _anywhere(tower: PackedTextTower, pack: Pack) -> Any:
    arrays = (pack.ids, pack.positions, pack.mask, pack.reads)
    return tower(*map(torch.from_numpy, arrays))


@pytest.mark.parametrize("sort", SORTS)
@settings(max_examples=25, derandomize=True)
@given(bodies=BODIES, nodes=st.integers(1, 80), batch=st.integers(1, 5))
def test_packs_are_encode_text(sort: str, bodies: list[list[int]], nodes: int, batch: int) -> None:
    _check(sort, bodies, nodes, batch, lambda pack: _anywhere(TOWERS[sort], pack))


@pytest.mark.parametrize("sort", SORTS)
@settings(max_examples=25, derandomize=True)
@given(bodies=BODIES, nodes=st.integers(1, 300), batch=st.integers(1, 3))
def test_so_are_those_of_a_processor(
    sort: str, bodies: list[list[int]], nodes: int, batch: int
) -> None:
    _check(sort, bodies, nodes, batch, CPU_TOWERS[sort])


@pytest.mark.parametrize("sort", ["plain", "quickgelu", "layer scale"])
def test_and_without_the_products_of_onednn(sort: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_products, "has_onednn", lambda dtype: False)
    bodies = [[a, b, c] for a in range(1, 6) for b in range(1, a + 1) for c in range(1, 4)]
    _check(sort, bodies, 100, 1, CpuTextTower(TOWERS[sort], torch.float32))


def _check(
    sort: str,
    bodies: list[list[int]],
    nodes: int,
    batch: int,
    embed: Callable[[Pack], Any],
) -> None:
    """Packs of random prompts against `encode_text` of the padded prompts."""
    tokens, padded = _framed(bodies)
    with torch.inference_mode():
        expected = MODELS[sort].encode_text(padded)
        rows = torch.full_like(expected, float("nan"))
        for pack in plan_packs(tokens, nodes=nodes, batch=batch):
            rows[torch.from_numpy(pack.rows)] = embed(pack)
    difference = (F.normalize(rows, dim=-1) - F.normalize(expected, dim=-1)).abs().max()
    assert float(difference) < 1e-5
    assert float((rows - expected).abs().max()) < 1e-5 * float(expected.abs().max() + 1)


def test_every_sort_runs_packs() -> None:
    assert {name: pack_refusal(model) for name, model in MODELS.items()} == dict.fromkeys(SORTS)


@pytest.mark.parametrize(
    ("cfg", "reason"),
    [
        (helper.config({**TEXT, "no_causal_mask": True}, custom_text=True), "not causal"),
        (helper.config({**TEXT, "pool_type": "last"}), "pools text by 'last'"),
        (helper.config({**TEXT, "pool_type": "first"}), "pools text by 'first'"),
        (helper.config({**TEXT, "embed_cls": True}, custom_text=True), "class token"),
        (helper.config({**TEXT, "qk_norm": True}), "CustomResidualAttentionBlock"),
        (helper.config({**TEXT, "scale_heads": True}), "CustomResidualAttentionBlock"),
    ],
)
def test_other_towers_are_refused(cfg: dict[str, Any], reason: str) -> None:
    refusal = pack_refusal(helper.build(cfg))
    assert refusal is not None and reason in refusal


def test_a_mask_or_an_attention_of_another_make_is_refused() -> None:
    model = helper.build(SORTS["plain"])
    model.attn_mask[5, 7] = 0.0
    assert "not causal" in str(pack_refusal(model))
    model = helper.build(SORTS["plain"])
    attention = model.transformer.resblocks[1].attn
    attention.bias_k = torch.nn.Parameter(torch.zeros(1, 1, 32))
    assert "attention" in str(pack_refusal(model))
    model = helper.build(SORTS["plain"])
    model.transformer.resblocks[0].attn = torch.nn.Identity()
    assert "Identity" in str(pack_refusal(model))
