"""Reads `params.txt` of open_clip's trainer: the settings that a checkpoint was trained with."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import open_clip

from idia_index.errors import ModelError
from idia_index.support.text import shown

PARAMS = "params.txt"
_MAX_BYTES = 1 << 20
# Options of the trainer with the prefixes of those that change the model, but which are handled
# or have no effect at inference.
_READ = frozenset(
    {
        "force_context_length",
        "force_custom_text",
        "force_image_size",
        "force_patch_dropout",
        "force_quick_gelu",
        "image_interpolation",
        "image_mean",
        "image_resize_mode",
        "image_std",
    }
)
_KEYS = ("mean", "std", "interpolation", "resize_mode")


@dataclass(frozen=True)
class TrainerParams:
    """The settings of a training run.

    Attributes:
        path: the file.
        architecture: the model's name as given to the trainer.
        config: open_clip's `model_cfg` of the run.
        preprocessing: mean, std, interpolation and resize mode of the run.
        activation_unsure: whether open_clip versions train such a run differently.
    """

    path: Path
    architecture: str
    config: dict[str, Any]
    preprocessing: dict[str, Any]
    activation_unsure: bool


def trainer_params(checkpoint: Path) -> TrainerParams | None:
    """The settings of the run that wrote a checkpoint; None if there is no such file.

    The trainer writes `logs/NAME/params.txt` and `logs/NAME/checkpoints/epoch_5.pt`.

    Raises:
        ModelError: the file has a setting that is not understood.
    """
    folder = checkpoint.absolute().parent
    for place in (folder, folder.parent):
        values = _values(place / PARAMS)
        if values is not None:
            return _params(values, place / PARAMS)
    return None


def _values(path: Path) -> dict[str, Any] | None:
    try:
        if not path.is_file() or path.stat().st_size > _MAX_BYTES:
            return None
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return None
    pairs = (line.partition(": ") for line in lines)
    values = {name.strip(): _value(text.strip()) for name, _, text in pairs}
    # A file that names no model is some other program's.
    return values if isinstance(values.get("model"), str) and "lr" in values else None


def _value(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def _params(values: Mapping[str, Any], path: Path) -> TrainerParams:
    odd = next(
        (
            name
            for name, value in values.items()
            if name.startswith(("force_", "image_"))
            and name not in _READ
            and value not in (None, False)
        ),
        None,
    )
    if odd is not None:
        raise ModelError(
            f"{path}: {odd} is {shown(values[odd])}, which is not understood; move the file away "
            "and state --preprocess and --activation"
        )
    architecture = str(values["model"]).replace("/", "-")
    config = open_clip.get_model_config(architecture)
    if config is None:
        raise ModelError(
            f"{path}: names the architecture {shown(architecture)}, which open_clip does not "
            "know; write its open_clip_config.json beside the weights and local-dir:FOLDER"
        )
    openai = str(values.get("pretrained") or "").lower() == "openai"
    quick = bool(config.get("quick_gelu")) or bool(values.get("force_quick_gelu"))
    return TrainerParams(
        path,
        architecture,
        _forced(config, values, path),
        _preprocessing(architecture, values),
        # Up to version 2 the trainer took OpenAI's own model for this tag, with QuickGELU.
        activation_unsure=openai and not quick,
    )


def _forced(config: dict[str, Any], values: Mapping[str, Any], path: Path) -> dict[str, Any]:
    if values.get("force_quick_gelu"):
        config["quick_gelu"] = True
    size = values.get("force_image_size")
    if size is not None:
        sizes = size if isinstance(size, list) else [size]
        if not all(type(side) is int and side > 0 for side in sizes) or len(sizes) > 2:
            raise ModelError(f"{path}: force_image_size {shown(size)} is not a size; correct it")
        config["vision_cfg"]["image_size"] = sizes[0] if len(set(sizes)) == 1 else sizes
    if values.get("force_context_length") is not None:
        config["text_cfg"]["context_length"] = values["force_context_length"]
    if values.get("force_custom_text"):
        config["custom_text"] = True
    return config


def _preprocessing(architecture: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The trainer's preprocessing: that of the tag it started from, else open_clip's defaults."""
    tag = str(values.get("pretrained") or "")
    made: dict[str, Any] = {
        "mean": open_clip.OPENAI_DATASET_MEAN,
        "std": open_clip.OPENAI_DATASET_STD,
        "interpolation": "bicubic",
        "resize_mode": "shortest",
    }
    entry = open_clip.get_pretrained_cfg(architecture, tag) if tag else {}
    made.update({key: entry[key] for key in _KEYS if entry.get(key)})
    made.update({key: values[f"image_{key}"] for key in _KEYS if values.get(f"image_{key}")})
    if made["interpolation"] == "random":  # only in training; inference uses bicubic
        made["interpolation"] = "bicubic"
    return made
