"""Folders of Hugging Face `transformers` CLIP models -> open_clip configuration and weights.

The two libraries write the same network with other names: queries, keys and values apart or
in one matrix, projections one way or transposed. What has no counterpart is refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from open_clip.tokenizer import SimpleTokenizer
from torch import Tensor

from idia_index.backends.torch_checkpoints import Checkpoint
from idia_index.errors import ModelError

WEIGHTS = ("model.safetensors", "pytorch_model.bin")
_EPS = 1e-5  # torch's, and both libraries', unless a configuration says otherwise
_RESAMPLE = {2: "bilinear", 3: "bicubic"}  # Pillow's numbers
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


def clip_config(data: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """open_clip's `model_cfg` of a transformers `CLIPConfig`.

    Args:
        data: content of config.json.
        path: the file, for the messages.

    Raises:
        InputError: not a CLIP model, or one that open_clip has no counterpart of.
    """
    if data.get("model_type") != "clip":
        raise ModelError(
            f"{path}: model_type {data.get('model_type')!r} is not read, only 'clip'; convert the "
            "model to open_clip's format"
        )
    try:
        return _translated(data, path)
    # Numbers that are none, or zero.
    except (TypeError, ValueError, AttributeError, ZeroDivisionError) as error:
        raise ModelError(
            f"{path}: not a CLIP configuration ({error}); take an intact copy"
        ) from error


def _translated(data: Mapping[str, Any], path: Path) -> dict[str, Any]:
    text, vision = data.get("text_config") or {}, data.get("vision_config") or {}
    activations = {tower.get("hidden_act", "quick_gelu") for tower in (text, vision)}
    if len(activations) > 1 or not activations <= {"gelu", "quick_gelu"}:
        raise ModelError(f"{path}: activations {sorted(activations)} have no counterpart; refused")
    width, heads = vision.get("hidden_size", 768), vision.get("num_attention_heads", 12)
    return {
        "embed_dim": data.get("projection_dim", 512),
        "quick_gelu": activations == {"quick_gelu"},
        "vision_cfg": {
            **_tower(vision, 768, 3072),
            "head_width": width // heads,
            "patch_size": vision.get("patch_size", 32),
            "image_size": vision.get("image_size", 224),
        },
        "text_cfg": {
            **_tower(text, 512, 2048),
            "heads": text.get("num_attention_heads", 8),
            "context_length": text.get("max_position_embeddings", 77),
            "vocab_size": text.get("vocab_size", 49408),
        },
    }


def _tower(data: Mapping[str, Any], width: int, inner: int) -> dict[str, Any]:
    """Options that both towers share; the defaults are transformers' own."""
    width = data.get("hidden_size", width)
    tower: dict[str, Any] = {
        "width": width,
        "layers": data.get("num_hidden_layers", 12),
        "mlp_ratio": data.get("intermediate_size", inner) / width,
    }
    if data.get("layer_norm_eps", _EPS) != _EPS:
        tower["norm_kwargs"] = {"eps": data["layer_norm_eps"]}
    return tower


def clip_preprocessing(data: Mapping[str, Any], size: int, path: Path) -> dict[str, Any]:
    """open_clip's preprocessing of a transformers image processor.

    Args:
        data: content of preprocessor_config.json.
        size: side of the model's input.
        path: the file, for the messages.

    Raises:
        InputError: it does what open_clip has no counterpart of.
    """
    steps = ("do_resize", "do_center_crop", "do_normalize")
    wanted = data.get("size", size)
    shortest = wanted.get("shortest_edge") if isinstance(wanted, Mapping) else wanted
    crop = data.get("crop_size", size)
    sides = set(crop.values()) if isinstance(crop, Mapping) else {crop}
    interpolation = _RESAMPLE.get(data.get("resample", 3))
    plain = all(data.get(step, True) for step in steps) and shortest == size and sides == {size}
    if not plain or interpolation is None:
        raise ModelError(
            f"{path}: not the preprocessing of CLIP (shortest side and centre crop of {size}); "
            "refused"
        )
    return {
        "interpolation": interpolation,
        "mean": data.get("image_mean"),
        "std": data.get("image_std"),
    }


def check_merges(folder: Path) -> None:
    """Refuses a folder whose tokenizer is not CLIP's own.

    Raises:
        InputError: merges.txt differs.
    """
    path = folder / "merges.txt"
    if not path.is_file():
        return
    lines = path.read_text(encoding="utf-8").splitlines()
    merges = [tuple(line.split()) for line in lines if line and not line.startswith("#version")]
    if merges != list(SimpleTokenizer().bpe_ranks):
        raise ModelError(f"{path}: not the merges of CLIP's tokenizer; such models are not read")


def open_clip_weights(checkpoint: Checkpoint) -> Checkpoint:
    """A checkpoint of transformers' names under open_clip's."""
    weights = checkpoint.weights
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
    return Checkpoint(checkpoint.path, renamed, checkpoint.activation)


def _joined(weights: Mapping[str, Tensor], names: Iterable[str], path: Path) -> Tensor:
    for name in names:
        if name not in weights:
            raise ModelError(f"{path}: {name!r} is missing; take an intact copy")
    return torch.cat([weights[name] for name in names])


def _rename(name: str) -> str:
    for old, new in _PREFIXES.items():
        if name.startswith(old):
            name = new + name.removeprefix(old)
            break
    for old, new in _PARTS.items():
        name = name.replace(old, new)
    return name
