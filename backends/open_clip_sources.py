"""SPEC -> what is needed to build the model: configuration, preprocessing, weights file."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import open_clip
from huggingface_hub import try_to_load_from_cache

from idia_index.backends.open_clip_activations import (
    activation_of_repository,
    activation_of_tag,
    check_activation,
    computed_activation,
)
from idia_index.backends.open_clip_downloads import hub_file, hub_weights, tag_weights
from idia_index.backends.open_clip_models import check_config
from idia_index.backends.open_clip_transformers import (
    WEIGHTS,
    check_merges,
    clip_config,
    clip_preprocessing,
    open_clip_weights,
)
from idia_index.backends.torch_checkpoints import Checkpoint, read_checkpoint
from idia_index.errors import ModelError, RefusedError
from idia_index.plugins.specs import ModelSpec, SpecKind

CONFIG = "open_clip_config.json"
_MAX_JSON = 1 << 24
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
_WEIGHT_PATTERNS = ("*.safetensors", "*.bin", "*.pth", "*.pt")


@dataclass(frozen=True)
class Source:
    """Where a model comes from.

    Attributes:
        architecture: its name; for a configuration of its own, "config:" and the start of the
            configuration's SHA-256.
        config: open_clip's `model_cfg`; names of Hugging Face models in it are local folders.
        preprocessing: open_clip's `preprocess_cfg`, without the size.
        weights: the weights file.
        tokenizer: folder or repository of a Hugging Face tokenizer.
        activation: what the weights were trained with, where the source says it.
        read: reads the weights file.
    """

    architecture: str
    config: dict[str, Any]
    preprocessing: dict[str, Any]
    weights: Path
    tokenizer: str | Path
    activation: str | None = None
    read: Callable[[Path], Checkpoint] = read_checkpoint


def find_source(
    text: str, spec: ModelSpec, *, offline: bool = False, allow_mismatch: bool = False
) -> Source:
    """Finds the files of a model; downloads those of tags and repositories unless `offline`.

    `spec` is not an export's (see `pytorch_spec`). A tag says which activation it needs, so a
    mismatch is refused before anything is downloaded, unless `allow_mismatch`.

    Raises:
        InputError: there is no such model, or a file of it is missing or damaged.
    """
    if spec.kind is SpecKind.HUB:
        return _from_hub(text, spec.source, offline)
    if spec.kind is SpecKind.FOLDER:
        return _from_folder(spec.path)
    config = _built_in(spec.architecture)
    if spec.kind is SpecKind.CHECKPOINT:
        # open_clip's too: the defaults of preprocessing, as the file says nothing of it.
        return _with_hugging_face(Source(spec.architecture, config, {}, spec.path, ""), True)
    entry = open_clip.get_pretrained_cfg(spec.architecture, spec.source)
    if not entry:
        raise ModelError(_unknown_tag(spec))
    trained = activation_of_tag(entry)
    if not allow_mismatch:
        check_activation(text, spec.architecture, computed_activation(config), trained)
    weights = tag_weights(text, entry, offline=offline)
    source = Source(spec.architecture, config, dict(entry), weights, "", trained)
    return _with_hugging_face(source, offline)


def _built_in(architecture: str) -> dict[str, Any]:
    names = open_clip.list_models()
    if architecture not in names:
        lower = {name.lower(): name for name in names}
        close = difflib.get_close_matches(architecture.lower(), lower, n=5, cutoff=0.5)
        hint = ", ".join(lower[name] for name in close)
        raise ModelError(
            f"architecture {architecture!r} is unknown to open_clip; "
            + (f"close to it: {hint}" if hint else "see open_clip.list_models()")
        )
    config: dict[str, Any] = open_clip.get_model_config(architecture)
    return config


def _unknown_tag(spec: ModelSpec) -> str:
    tags = open_clip.list_pretrained_tags_by_model(spec.architecture)
    known = ", ".join(tags) or "none: write ARCH/CHECKPOINT-FILE"
    line = f"{spec.source!r} is neither a file nor a tag of {spec.architecture}; tags: {known}"
    others = [
        name
        for name in open_clip.list_pretrained_models_by_tag(spec.source)
        if name.startswith(spec.architecture.removesuffix("-quickgelu"))
    ]
    return f"{line}; {others[0]} has it" if others else line


def _from_hub(text: str, repository: str, offline: bool) -> Source:
    path = hub_file(text, repository, CONFIG, offline=offline)
    source = _configured(path, hub_weights(text, repository, offline=offline))
    tokenizer = source.config["text_cfg"].get("hf_tokenizer_name") or repository
    known = activation_of_repository(repository)
    return _with_hugging_face(replace(source, tokenizer=tokenizer, activation=known), offline)


def _from_folder(folder: Path) -> Source:
    path = folder / CONFIG
    if path.is_file():
        source = _configured(path, _weights_in(folder, _FOLDER_WEIGHTS))
        return _with_hugging_face(source, True, folder)
    if (folder / "config.json").is_file():
        return _from_transformers(folder)
    raise ModelError(
        f"{folder}: neither {CONFIG} nor config.json of a transformers CLIP model is in this "
        "folder; name the folder of a model"
    )


def _from_transformers(folder: Path) -> Source:
    path = folder / "config.json"
    config = clip_config(read_json(path), path)
    check_config(config, path)
    check_merges(folder)
    preprocessing = folder / "preprocessor_config.json"
    data = read_json(preprocessing) if preprocessing.is_file() else {}
    size = config["vision_cfg"]["image_size"]
    return Source(
        architecture_name(config),
        config,
        clip_preprocessing(data, size, preprocessing),
        _weights_in(folder, WEIGHTS),
        folder,
        read=lambda weights: open_clip_weights(read_checkpoint(weights)),
    )


def _configured(path: Path, weights: Path) -> Source:
    """The source that an open_clip_config.json describes."""
    data = read_json(path)
    config, preprocessing = data.get("model_cfg"), data.get("preprocess_cfg") or {}
    config = config if isinstance(config, dict) else {}
    check_config(config, path)
    if not isinstance(preprocessing, dict):
        raise ModelError(f"{path}: its preprocess_cfg is no object; take an intact copy")
    return Source(architecture_name(config), config, preprocessing, weights, path.parent)


def architecture_name(config: Mapping[str, Any]) -> str:
    """Name of the built-in architecture of a configuration, or one made of its SHA-256."""
    for name in open_clip.list_models():
        if open_clip.get_model_config(name) == config:
            return str(name)
    data = json.dumps(config, sort_keys=True).encode()
    return f"config:{hashlib.sha256(data).hexdigest()[:12]}"


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        InputError: the file is missing, too large, or holds something else.
    """
    try:
        if path.stat().st_size > _MAX_JSON:
            raise ValueError(f"{path.stat().st_size} bytes")
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(
            f"{path}: cannot be read as JSON ({error}); take an intact copy"
        ) from error
    if not isinstance(data, dict):
        raise ModelError(f"{path}: holds no JSON object; take an intact copy")
    return data


def _weights_in(folder: Path, preferred: tuple[str, ...]) -> Path:
    for name in preferred:
        if (folder / name).is_file():
            return folder / name
    found = sorted(
        path for pattern in _WEIGHT_PATTERNS for path in folder.glob(pattern) if path.is_file()
    )
    if len(found) != 1:
        what = f"{len(found)} weights files, none under a usual name" if found else "no weights"
        raise ModelError(f"{folder}: {what}; name the file {preferred[0]}")
    return found[0]


def _with_hugging_face(source: Source, offline: bool, folder: Path | None = None) -> Source:
    """Turns names of Hugging Face models in a configuration into local folders."""
    text = dict(source.config["text_cfg"])
    if text.get("hf_model_name"):
        name = str(text["hf_model_name"])
        text["hf_model_name"] = str(_hugging_face_folder(name, folder, offline, source))
    return replace(
        source,
        config={**source.config, "text_cfg": text},
        tokenizer=source.tokenizer or text.get("hf_tokenizer_name") or "",
    )


def _hugging_face_folder(name: str, folder: Path | None, offline: bool, source: Source) -> Path:
    """The local folder with the config.json of a Hugging Face model."""
    path: Path | None = None
    if folder is not None and (folder / "config.json").is_file():
        path = folder / "config.json"
    elif not offline:
        path = hub_file(source.architecture, name, "config.json", offline=False)
    else:
        path = _cached_config(name)
    if path is None:
        raise ModelError(
            f"{source.architecture} has the text tower of {name!r}, whose config.json and "
            "tokenizer are not in the local cache; load them once with network, or put them "
            f"into a folder with {CONFIG} and the weights, and write local-dir:FOLDER"
        )
    if "auto_map" in read_json(path):
        raise RefusedError(f"{path}: would run code of its own (auto_map); refused")
    return path.parent


def _cached_config(name: str) -> Path | None:
    try:
        cached = try_to_load_from_cache(name, "config.json")
    except ValueError:  # no name of a repository
        return None
    return Path(cached) if isinstance(cached, str) else None
