"""Finds the model in a folder, whatever its layout."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import open_clip

from idia_index.backends.fingerprints import PREPROCESSING_DEFAULTS
from idia_index.backends.open_clip_models import check_config
from idia_index.backends.open_clip_trainer import PARAMS, trainer_params
from idia_index.backends.settings import SETTINGS, check_preprocessing, read_json
from idia_index.backends.torch_checkpoints import (
    INDEX_SUFFIX,
    MERGE_PARTS,
    Checkpoint,
    read_checkpoint,
    shard_names,
)
from idia_index.backends.torch_mismatch import merge_command
from idia_index.backends.torch_unwrap import WeightsChoice
from idia_index.backends.transformers_config import clip_config
from idia_index.backends.transformers_images import folder_preprocessing
from idia_index.backends.transformers_siglip import siglip_config
from idia_index.backends.transformers_tokenizers import check_clip_tokenizer
from idia_index.backends.transformers_weights import open_clip_weights
from idia_index.errors import ModelError
from idia_index.support.text import shown, shown_path

CONFIG = "open_clip_config.json"
TRANSFORMERS_CONFIG = "config.json"
ADAPTER = "adapter_config.json"
TRANSFORMERS_WEIGHTS = (
    "model.safetensors",
    f"model.safetensors{INDEX_SUFFIX}",
    "pytorch_model.bin",
    f"pytorch_model.bin{INDEX_SUFFIX}",
)
# open_clip's own order of preference.
_FOLDER_WEIGHTS = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
    "open_clip_pytorch_model.pth",
    "model.safetensors",
    "pytorch_model.bin",
    "pytorch_model.pth",
    "model.pth",
)
_WEIGHT_PATTERNS = ("*.safetensors", "*.bin", "*.pth", "*.pt", "*.ckpt")
# Files with the same suffixes that trainers and converters put beside them.
_BESIDE = ("openvino_", "optimizer", "scheduler", "scaler", "rng_state", "training_args")
_CONVERT = (
    "use the model's PyTorch or safetensors file, or convert it with transformers 4: "
    "from_pretrained(FOLDER, {}=True).save_pretrained(OUT)"
)
_FOREIGN = {
    "*.msgpack": _CONVERT.format("from_flax"),
    "*.h5": _CONVERT.format("from_tf"),
    "*.distcp": MERGE_PARTS,
    **dict.fromkeys(
        ("*.onnx", "*.gguf", "*.tflite", "*.ot", "openvino_*"),
        "use the model's PyTorch or safetensors file",
    ),
}
_NOT_READ: Mapping[str, str] = {
    "metaclip_2": "use the same model from open_clip, ARCH/TAG "
    "(ViT-H-14-worldwide-quickgelu/metaclip2_worldwide)",
    **dict.fromkeys(
        ("clip_text_model", "clip_vision_model", "siglip_text_model", "siglip_vision_model"),
        "it is only one tower; name the folder of the whole model",
    ),
    "siglip2": "it is a NaFlex model, which keeps the aspect ratio of images; use a SigLIP 2 "
    "model with a fixed size (model_type siglip)",
}

Read = Callable[[Path, WeightsChoice | None], Checkpoint]


@dataclass(frozen=True)
class Source:
    """Everything needed to build a model.

    Attributes:
        architecture: its name; for a custom configuration, "config:" and the start of the
            configuration's SHA-256.
        config: open_clip's `model_cfg`; Hugging Face models in it are local folders.
        preprocessing: open_clip's `preprocess_cfg`, without the size.
        weights: the weights file, or the index of a sharded checkpoint.
        tokenizer: folder or repository of a Hugging Face tokenizer.
        activation: what the weights were trained with, if the source says so.
        read: reads the weights.
        notes: where each setting comes from and what is assumed, one line each.
        siglip: transformers' configuration of a SigLIP model; None for all others.
    """

    architecture: str
    config: dict[str, Any]
    preprocessing: dict[str, Any]
    weights: Path
    tokenizer: str | Path
    activation: str | None = None
    read: Read = read_checkpoint
    notes: tuple[str, ...] = ()
    siglip: Any = None


def from_folder(folder: Path) -> Source:
    """The model in a folder in open_clip's or transformers' layout, or in a folder around one.

    Raises:
        ModelError: no model, several, or an unsupported one.
    """
    if (folder / CONFIG).exists():
        return _told(configured(folder / CONFIG, weights_in(folder, _FOLDER_WEIGHTS)), folder)
    if (folder / ADAPTER).exists():
        raise ModelError(
            f"{folder}: holds a PEFT adapter, not a model; {merge_command(str(folder))}"
        )
    if (folder / TRANSFORMERS_CONFIG).exists():
        return _told(_from_transformers(folder), folder)
    inner = _inner(folder)
    if inner is None:
        raise ModelError(f"{folder}: {_no_model(folder)}")
    source = from_folder(inner)
    note = f"model: the one in {shown_path(str(inner.relative_to(folder)))} of the folder"
    return replace(source, notes=(note, *source.notes))


def _told(source: Source, folder: Path) -> Source:
    """The source, with a note of weights files in the folder that are not used."""
    taken = source.weights
    known = {taken.name, *(shard_names(taken) if taken.name.endswith(INDEX_SUFFIX) else ())}
    others = [path.name for path in _weights(folder) if path.name not in known]
    if not others:
        return source
    named = f"{', '.join(map(shown_path, others[:3]))}{', ...' if len(others) > 3 else ''}"
    note = f"weights: {shown_path(taken.name)}; not used: {named}"
    return replace(source, notes=(*source.notes, note))


def _inner(folder: Path) -> Path | None:
    """The one subfolder with a model, as in a hub's cache or sentence-transformers' layout."""
    if (folder / "snapshots").is_dir():
        return _snapshot(folder)
    found = [
        child
        for child in sorted(folder.iterdir())
        if child.is_dir()
        and any((child / name).exists() for name in (CONFIG, TRANSFORMERS_CONFIG, "snapshots"))
    ]
    if len(found) > 1:
        names = ", ".join(shown_path(child.name) for child in found[:5])
        raise ModelError(f"{folder}: holds several models ({names}); name the folder of one")
    return found[0] if found else None


def _snapshot(folder: Path) -> Path:
    """The main revision in a folder of a hub's cache, or the only one."""
    main = folder / "refs" / "main"
    if main.is_file():
        revision = main.read_text(encoding="utf-8", errors="replace").strip()
        if "/" not in revision and (folder / "snapshots" / revision).is_dir():
            return folder / "snapshots" / revision
    found = sorted(path for path in (folder / "snapshots").iterdir() if path.is_dir())
    if len(found) != 1:
        names = ", ".join(shown_path(path.name) for path in found[:5]) or "none"
        raise ModelError(
            f"{folder}: holds {len(found)} revisions ({names}); name the folder of one of them"
        )
    return found[0]


def _no_model(folder: Path) -> str:
    run = folder if (folder / PARAMS).is_file() else folder.parent
    params = trainer_params(run / "any") if (run / PARAMS).is_file() else None
    files = [*_weights(folder), *_weights(folder / "checkpoints")]
    if (folder / "zero_to_fp32.py").is_file():
        return (
            "holds a sharded DeepSpeed checkpoint; merge it with its zero_to_fp32.py, and name the "
            "file: ARCH/FILE"
        )
    if params is not None and files:
        newest = max(files, key=lambda path: path.stat().st_mtime)
        return (
            f"a run of open_clip's trainer; name one of its {len(files)} checkpoints: "
            f"{params.architecture}/{shown_path(str(newest))}"
        )
    if files:
        return (
            f"has weights, but neither {CONFIG} nor {TRANSFORMERS_CONFIG} to state their "
            f"architecture; write ARCH/{shown_path(str(files[0]))}"
        )
    if next(folder.glob("*.distcp"), None):
        return f"holds a sharded checkpoint; {MERGE_PARTS}, and name the file: ARCH/OUT.pt"
    return (
        f"has neither {CONFIG} nor {TRANSFORMERS_CONFIG} of a transformers CLIP model; name the "
        "folder of a model"
    )


def _from_transformers(folder: Path) -> Source:
    path = folder / TRANSFORMERS_CONFIG
    data = read_json(path)
    kind = data.get("model_type")
    if data.get("quantization_config") or data.get("quantization"):
        raise ModelError(
            f"{path}: quantized weights are not supported; name the folder of the original model"
        )
    if kind == "siglip":
        return _from_siglip(folder, data)
    if kind != "clip":
        remedy = _NOT_READ.get(
            str(kind), "convert the model to open_clip's format, or name the folder of a CLIP model"
        )
        raise ModelError(
            f"{path}: model_type {shown(kind)} is not supported, only 'clip' and 'siglip'; {remedy}"
        )
    config = clip_config(data, path)
    check_config(config, path)
    unsaid = check_clip_tokenizer(folder)
    preprocessing, notes = folder_preprocessing(folder, config["vision_cfg"]["image_size"], "clip")
    return Source(
        architecture_name(config),
        config,
        preprocessing,
        weights_in(folder, TRANSFORMERS_WEIGHTS),
        folder,
        read=lambda path, choice: open_clip_weights(read_checkpoint(path, choice)),
        notes=(*notes, *unsaid),
    )


def _from_siglip(folder: Path, data: Mapping[str, Any]) -> Source:
    config = siglip_config(data, folder / TRANSFORMERS_CONFIG)
    text, vision = config.text_config, config.vision_config
    shape = {
        "embed_dim": int(text.projection_size or text.hidden_size),
        "text_cfg": {"context_length": int(text.max_position_embeddings)},
        "vision_cfg": {"image_size": int(vision.image_size)},
        "siglip": json.loads(config.to_json_string(use_diff=False)),
    }
    shape["siglip"].pop("transformers_version", None)
    preprocessing, notes = folder_preprocessing(folder, vision.image_size, "siglip")
    return Source(
        _name_of(shape),
        shape,
        preprocessing,
        weights_in(folder, TRANSFORMERS_WEIGHTS),
        folder,
        notes=notes,
        siglip=config,
    )


def configured(path: Path, weights: Path) -> Source:
    """The source that an open_clip_config.json describes."""
    data = read_json(path)
    if "model_cfg" not in data and "embed_dim" in data:
        raise ModelError(
            f"{path}: is a bare model_cfg; put it under that key, with its preprocess_cfg beside it"
        )
    config, preprocessing = data.get("model_cfg"), data.get("preprocess_cfg") or {}
    config = config if isinstance(config, dict) else {}
    check_config(config, path)
    if not isinstance(preprocessing, dict):
        raise ModelError(f"{path}: its preprocess_cfg is not an object; use an intact copy")
    check_preprocessing(preprocessing, path)
    missing = [key for key in SETTINGS if preprocessing.get(key) is None]
    defaults = {key: PREPROCESSING_DEFAULTS[key] for key in missing}
    notes = (
        f"assumed: {', '.join(missing)} of OpenAI's CLIP, open_clip's defaults: {path.name} does "
        "not state them; state them with --preprocess",
    )
    return Source(
        architecture_name(config),
        config,
        {**preprocessing, **defaults},
        weights,
        path.parent,
        notes=notes if missing else (),
    )


def architecture_name(config: Mapping[str, Any]) -> str:
    """The built-in architecture of a configuration, or a name made from its SHA-256."""
    for name in open_clip.list_models():
        if open_clip.get_model_config(name) == config:
            return str(name)
    return _name_of(config)


def _name_of(config: Mapping[str, Any]) -> str:
    data = json.dumps(config, sort_keys=True).encode()
    return f"config:{hashlib.sha256(data).hexdigest()[:12]}"


def weights_in(folder: Path, preferred: tuple[str, ...]) -> Path:
    """The weights file of a model's folder, or the index of a sharded checkpoint.

    Raises:
        ModelError: there is none, or several without a usual name.
    """
    for name in preferred:
        if (folder / name).is_file():
            return folder / name
    indexes = sorted(folder.glob(f"*{INDEX_SUFFIX}"))
    found = indexes if len(indexes) == 1 else _weights(folder)
    if len(found) == 1:
        return found[0]
    if found:
        what = f"{len(found)} weights files, none with a usual name"
        if all("-of-" in path.name for path in found):
            raise ModelError(
                f"{folder}: {len(found)} files of a sharded checkpoint without its index; "
                f"download {preferred[0]}{INDEX_SUFFIX} too"
            )
    else:
        what = "no weights"
        for pattern, remedy in _FOREIGN.items():
            for other in folder.glob(pattern):
                raise ModelError(
                    f"{folder}: no PyTorch or safetensors weights, only "
                    f"{shown_path(other.name)}; {remedy}"
                )
    raise ModelError(f"{folder}: {what}; name the file {preferred[0]}")


def _weights(folder: Path) -> list[Path]:
    return sorted(
        path
        for pattern in _WEIGHT_PATTERNS
        for path in folder.glob(pattern)
        if path.is_file() and not path.name.startswith(_BESIDE)
    )
