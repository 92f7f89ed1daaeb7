"""Finds open_clip's architectures with the shapes of a file's weights."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import open_clip
from torch import Tensor

Shapes = dict[str, object]


def fitting_architectures(weights: Mapping[str, Tensor]) -> list[str]:
    """Names of built-in architectures with the shapes of these weights, without timm towers.

    An architecture and its QuickGELU variant have the same shapes.
    """
    own = _of_weights(weights)
    if own is None:
        return []
    found = []
    for name in open_clip.list_models():
        shapes = _of_config(open_clip.get_model_config(name) or {})
        if shapes == own:
            found.append(str(name))
    return found


def image_side(weights: Mapping[str, Tensor]) -> int | None:
    """Image side in pixels of a vision transformer or ResNet, by its position embeddings."""
    if "visual.attnpool.positional_embedding" in weights:
        rows, patch = weights["visual.attnpool.positional_embedding"].shape[0], 32
    elif {"visual.positional_embedding", "visual.conv1.weight"} <= weights.keys():
        rows = weights["visual.positional_embedding"].shape[0]
        patch = weights["visual.conv1.weight"].shape[-1]
    else:
        return None
    side = round(max(rows - 1, 0) ** 0.5)
    return side * patch if side and side**2 == rows - 1 else None


def _of_weights(weights: Mapping[str, Tensor]) -> Shapes | None:
    text = "text." if "text.positional_embedding" in weights else ""
    needed = (f"{text}positional_embedding", f"{text}token_embedding.weight")
    if not all(name in weights and weights[name].ndim == 2 for name in needed):
        return None
    context, width = weights[needed[0]].shape
    shapes: Shapes = {
        "context": context,
        "width": width,
        "vocabulary": weights[needed[1]].shape[0],
        "text layers": _count(weights, rf"{re.escape(text)}transformer\.resblocks\.(\d+)\."),
        "side": image_side(weights),
    }
    if f"{text}text_projection" in weights:
        shapes["dim"] = weights[f"{text}text_projection"].shape[-1]
    if "visual.layer1.0.conv1.weight" in weights:
        layers = [_count(weights, rf"visual\.layer{n}\.(\d+)\.") for n in range(1, 5)]
        first = weights["visual.layer1.0.conv1.weight"]
        vision: tuple[object, ...] = (first.shape[0], tuple(layers))
    elif "visual.conv1.weight" in weights:
        depth = _count(weights, r"visual\.transformer\.resblocks\.(\d+)\.")
        conv = weights["visual.conv1.weight"]
        vision = (conv.shape[0], depth, conv.shape[-1])
    else:
        return None
    return {**shapes, "vision": vision}


def _count(names: Iterable[str], pattern: str) -> int:
    numbers = {int(found[1]) for name in names if (found := re.match(pattern, name))}
    return len(numbers)


def _of_config(config: Mapping[str, Any]) -> Shapes | None:
    text, vision = config.get("text_cfg") or {}, config.get("vision_cfg") or {}
    if text.get("hf_model_name") or vision.get("timm_model_name") or not vision:
        return None
    layers = vision.get("layers", 12)
    return {
        "context": text.get("context_length", 77),
        "width": text.get("width", 512),
        "vocabulary": text.get("vocab_size", 49408),
        "text layers": text.get("layers", 12),
        "side": vision.get("image_size", 224),
        "dim": config.get("embed_dim"),
        "vision": (vision.get("width", 64), tuple(layers))
        if isinstance(layers, list)
        else (vision.get("width", 768), layers, vision.get("patch_size", 16)),
    }
