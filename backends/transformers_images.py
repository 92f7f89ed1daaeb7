"""Converts a transformers folder's image processor to open_clip's preprocessing.

transformers 5 writes it into processor_config.json, older versions into preprocessor_config.json.
A folder with a setting that cannot be reproduced exactly is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from idia_index.backends.settings import NAMED, SETTINGS, read_json
from idia_index.errors import ModelError
from idia_index.support.text import shown

NESTED, PLAIN = "processor_config.json", "preprocessor_config.json"
_RESAMPLE = {2: "bilinear", 3: "bicubic"}  # Pillow's numbers
_CLIP = ("CLIPImageProcessor", "CLIPFeatureExtractor")
_SIGLIP = ("SiglipImageProcessor",)
_STEPS = ("do_resize", "do_rescale", "do_normalize", "do_convert_rgb")
_READ = {
    *_STEPS,
    "crop_size",
    "do_center_crop",
    "image_mean",
    "image_std",
    "resample",
    "rescale_factor",
    "size",
}
_SWITCHES = ("do_", "use_", "default_")  # steps of other processors, turned off
_OUTPUT = {"data_format": "channels_first"}  # the memory layout, which changes no pixel
# Metadata of the file, which changes no pixel.
_NAMES = {
    "_processor_class",
    "_valid_processor_keys",
    "backend",
    "feature_extractor_type",
    "image_processor_type",
    "image_seq_length",
    "processor_class",
}


def folder_preprocessing(
    folder: Path, size: Any, family: str
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """open_clip's preprocessing for a model folder, and a note if it is assumed.

    Args:
        folder: the folder.
        size: side of the model's input.
        family: "clip" or "siglip", for the defaults of settings that a file leaves out.

    Raises:
        ModelError: the folder states an unsupported setting.
    """
    nested, plain = folder / NESTED, folder / PLAIN
    inner = read_json(nested).get("image_processor") if nested.exists() else None
    if inner is not None and not isinstance(inner, Mapping):
        raise ModelError(f"{nested}: its image_processor is not an object; use an intact copy")
    found = [
        image_preprocessing(data, size, path, family)
        for path, data in ((nested, inner), (plain, read_json(plain) if plain.exists() else None))
        if data is not None
    ]
    if len(found) == 2 and found[0] != found[1]:
        raise ModelError(
            f"{nested} and {PLAIN} beside it state different preprocessing; remove the wrong one"
        )
    if found:
        return found[0], ()
    note = (
        f"assumed: {', '.join(SETTINGS)} of {_FAMILIES[family]}: {folder.name} has no "
        f"{PLAIN}; put it there, or state them with --preprocess"
    )
    return dict(_defaults(family)), (note,)


_FAMILIES = {"clip": "OpenAI's CLIP", "siglip": "SigLIP"}


def _defaults(family: str) -> Mapping[str, Any]:
    return NAMED["openai" if family == "clip" else "inception"]


def image_preprocessing(
    data: Mapping[str, Any], size: Any, path: Path, family: str = "clip"
) -> dict[str, Any]:
    """open_clip's preprocessing for a transformers image processor.

    Args:
        data: its settings.
        size: side of the model's input.
        path: the file, for the messages.
        family: "clip" or "siglip", for a file that names no processor.

    Raises:
        ModelError: a setting is not understood or not supported.
    """

    def refuse(what: str) -> NoReturn:
        raise ModelError(
            f"{path}: {what}, which is not supported; name a model with CLIP's or SigLIP's "
            f"preprocessing at {size} x {size}, or move the file away and state it with "
            "--preprocess"
        )

    kind = str(data.get("image_processor_type") or data.get("feature_extractor_type") or "")
    plain_kind = kind.removesuffix("Fast").removesuffix("Pil")
    if plain_kind in (*_CLIP, *_SIGLIP):
        family = "clip" if plain_kind in _CLIP else "siglip"
    elif kind:
        refuse(f"its image processor is {shown(kind)}")
    for key, value in data.items():
        off = value is False and key.startswith(_SWITCHES)
        if key not in _READ | _NAMES and not off and value not in (None, _OUTPUT.get(key)):
            refuse(f"{shown(key)} is {shown(value)}")
    for step in _STEPS:
        if data.get(step) not in (None, True):
            refuse(f"{step} is {shown(data[step])}")
    factor = data.get("rescale_factor", 1 / 255)
    if factor is not None and not (isinstance(factor, float) and abs(factor * 255 - 1) < 1e-6):
        refuse(f"rescale_factor is {shown(factor)}")
    default = _defaults(family)
    resample = data.get("resample")
    interpolation = default["interpolation"] if resample is None else _RESAMPLE.get(resample)
    if isinstance(resample, bool) or interpolation is None:
        refuse(f"resample is {shown(resample)}")
    mode = _resize_mode(data, size, family)
    if mode is None:
        refuse(
            f"size is {shown(data.get('size'))}, crop_size {shown(data.get('crop_size'))} and "
            f"do_center_crop {shown(data.get('do_center_crop'))}"
        )
    made: dict[str, Any] = {"interpolation": interpolation, "resize_mode": mode}
    for key in ("mean", "std"):
        values = data.get(f"image_{key}")
        values = default[key] if values is None else values
        if not _is_triple(values) or (key == "std" and 0 in values):
            refuse(f"image_{key} is {shown(values)}")
        made[key] = tuple(map(float, values))
    return made


def _is_triple(values: object) -> bool:
    return (
        isinstance(values, (list, tuple))
        and len(values) == 3
        and all(isinstance(value, (int, float)) for value in values)
    )


def _resize_mode(data: Mapping[str, Any], side: Any, family: str) -> str | None:
    """ "shortest" (shorter side, then a crop) or "squash" (both sides); None for anything else."""
    default: Any = {"shortest_edge": side} if family == "clip" else {"height": side, "width": side}
    if data.get("size", default) is None:
        return None  # which transformers refuses too
    size = data.get("size") or default
    crop = data.get("crop_size") or side
    crops = data.get("do_center_crop")
    crops = family == "clip" if crops is None else crops
    sides = crop if isinstance(crop, Mapping) else {"height": crop, "width": crop}
    if crops is True and family == "siglip" and data.get("crop_size") is None:
        return None  # which transformers refuses too
    if crops is True and dict(sides) != {"height": side, "width": side}:
        return None
    if not isinstance(size, Mapping):
        size = {"shortest_edge": size} if family == "clip" else None
    if size == {"shortest_edge": side} and crops is True:
        return "shortest"
    # A crop to the image's own size changes nothing.
    return "squash" if size == {"height": side, "width": side} and crops in (True, False) else None
