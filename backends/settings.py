"""Reads preprocessing settings, from the user or a file, strictly. Imports no PyTorch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from idia_index.encode.preprocessing import Preprocessing
from idia_index.errors import ModelError
from idia_index.support.text import shown

# The settings of a preprocessing, without the size, which the image tower determines.
SETTINGS = ("mean", "std", "interpolation", "resize_mode")
ACTIVATIONS = ("gelu", "quick_gelu")
_KNOWN = {*SETTINGS, "size", "mode", "fill_color"}
_MAX_JSON = 1 << 24
_HALF = (0.5, 0.5, 0.5)
NAMED: Mapping[str, Mapping[str, Any]] = {
    "openai": {
        "mean": (0.48145466, 0.4578275, 0.40821073),
        "std": (0.26862954, 0.26130258, 0.27577711),
        "interpolation": "bicubic",
        "resize_mode": "shortest",
    },
    "inception": {
        "mean": _HALF,
        "std": _HALF,
        "interpolation": "bicubic",
        "resize_mode": "squash",
    },
    "imagenet": {
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
        "interpolation": "bilinear",
        "resize_mode": "squash",
    },
}


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        ModelError: the file is missing, too large, or not a JSON object.
    """
    try:
        if not path.is_file():
            raise ValueError("not a file")
        if path.stat().st_size > _MAX_JSON:
            raise ValueError(f"{path.stat().st_size} bytes")
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path}: cannot be read as JSON ({error}); use an intact copy") from error
    if not isinstance(data, dict):
        raise ModelError(f"{path}: not a JSON object; use an intact copy")
    return data


def read_preprocessing(value: str | Mapping[str, Any]) -> dict[str, Any]:
    """The value of `--preprocess`: a name of `NAMED`, or a file with all of `SETTINGS`.

    The file is an open_clip `preprocess_cfg`, alone or in an open_clip_config.json.

    Raises:
        InputError: no such name or file, or a setting is missing or not understood.
    """
    if isinstance(value, str) and value in NAMED:
        return _plain(NAMED[value])
    if isinstance(value, str) and not value.lower().endswith(".json"):
        raise ModelError(
            f"preprocessing {shown(value)} is unknown; available: {', '.join(NAMED)}, or name a "
            "JSON file"
        )
    data: Any = read_json(Path(value)) if isinstance(value, str) else dict(value)
    where = value if isinstance(value, str) else "the stated preprocessing"
    if isinstance(data.get("preprocess_cfg"), dict):
        data = data["preprocess_cfg"]
    missing = [key for key in SETTINGS if data.get(key) is None]
    if missing:
        raise ModelError(
            f"{where}: does not state {', '.join(missing)}; a file for --preprocess has "
            f"{', '.join(SETTINGS)}"
        )
    check_preprocessing(data, where)
    return _plain({key: data[key] for key in sorted(_KNOWN & data.keys()) if key != "size"})


def _plain(data: Mapping[str, Any]) -> dict[str, Any]:
    """With lists for tuples, as read back from an index's manifest."""
    return {k: list(v) if isinstance(v, tuple) else v for k, v in data.items()}


def check_preprocessing(data: Mapping[str, Any], where: object) -> None:
    """Refuses a `preprocess_cfg` with a setting that is not understood.

    Raises:
        InputError: names the setting.
    """
    odd = next((key for key in data if key not in _KNOWN), None)
    if odd is not None:
        raise ModelError(
            f"{where}: the preprocessing setting {shown(odd)} is not understood; remove it if it "
            "changes nothing, or state the preprocessing with --preprocess"
        )
    try:
        Preprocessing.from_open_clip(
            {"size": 224, **NAMED["openai"], **{k: v for k, v in data.items() if v is not None}}
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ModelError(
            f"{where}: preprocesses images with {error}; correct its preprocess_cfg"
        ) from error
