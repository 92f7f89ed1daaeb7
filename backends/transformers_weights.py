"""Renames weights of transformers' CLIP to open_clip's names.

The two libraries store the same network differently: queries, keys and values separately or in
one matrix, projections transposed or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from idia_index.backends.torch_checkpoints import Checkpoint
from idia_index.errors import ModelError

_ANCHOR = "text_model.embeddings.token_embedding.weight"
_PREFIXES = {
    "text_model.encoder.layers.": "transformer.resblocks.",
    "vision_model.encoder.layers.": "visual.transformer.resblocks.",
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "text_model.final_layer_norm.": "ln_final.",
    "vision_model.embeddings.class_embedding": "visual.class_embedding",
    "vision_model.embeddings.patch_embedding.": "visual.conv1.",
    "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
    "vision_model.pre_layrnorm.": "visual.ln_pre.",
    "vision_model.post_layernorm.": "visual.ln_post.",
    "text_projection.weight": "text_projection",
    "visual_projection.weight": "visual.proj",
}
_PARTS = {
    ".self_attn.out_proj.": ".attn.out_proj.",
    ".layer_norm1.": ".ln_1.",
    ".layer_norm2.": ".ln_2.",
    ".mlp.fc1.": ".mlp.c_fc.",
    ".mlp.fc2.": ".mlp.c_proj.",
}
_TRANSPOSED = ("text_projection.weight", "visual_projection.weight")


def open_clip_weights(checkpoint: Checkpoint) -> Checkpoint:
    """A checkpoint with transformers' names, renamed to open_clip's."""
    prefix = next((n.removesuffix(_ANCHOR) for n in checkpoint.weights if n.endswith(_ANCHOR)), "")
    weights = {
        name.removeprefix(prefix): value
        for name, value in checkpoint.weights.items()
        if name.startswith(prefix)
    }
    if aside := len(checkpoint.weights) - len(weights):
        note = f"weights: those that begin with {prefix!r}; {aside} others not used"
        checkpoint = replace(checkpoint, notes=(*checkpoint.notes, note))
    renamed: dict[str, Tensor] = {}
    for name, value in weights.items():
        if name.endswith("embeddings.position_ids"):  # a constant 0, 1, 2, ...
            continue
        if ".self_attn." in name and ".out_proj." not in name:
            if ".q_proj." in name:
                parts = [name.replace(".q_proj.", f".{part}_proj.") for part in "qkv"]
                target = _rename(name.replace(".self_attn.q_proj.", ".attn.in_proj_"))
                renamed[target] = _joined(weights, parts, checkpoint.path)
            continue
        renamed[_rename(name)] = value.T if name in _TRANSPOSED else value
    return replace(checkpoint, weights=renamed)


def _joined(weights: Mapping[str, Tensor], names: Iterable[str], path: Path) -> Tensor:
    for name in names:
        if name not in weights:
            raise ModelError(f"{path}: {name!r} is missing; use an intact copy")
    return torch.cat([weights[name] for name in names])


def _rename(name: str) -> str:
    for old, new in _PREFIXES.items():
        if name.startswith(old):
            name = new + name.removeprefix(old)
            break
    for old, new in _PARTS.items():
        name = name.replace(old, new)
    return name
