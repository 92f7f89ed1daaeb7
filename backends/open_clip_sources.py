"""Resolves a SPEC to a model's configuration, preprocessing and weights file."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import replace
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
from idia_index.backends.open_clip_downloads import (
    hub_file,
    hub_first,
    hub_folder,
    hub_weights,
    tag_weights,
)
from idia_index.backends.open_clip_folders import (
    CONFIG,
    TRANSFORMERS_WEIGHTS,
    Source,
    architecture_name,
    configured,
    from_folder,
)
from idia_index.backends.open_clip_settings import settings_of_file
from idia_index.backends.settings import read_json
from idia_index.backends.torch_checkpoints import INDEX_SUFFIX, checkpoint_sha256, shard_names
from idia_index.errors import ModelError, RefusedError
from idia_index.plugins.specs import HUB_PREFIX, ModelSpec, SpecKind
from idia_index.support.files import local_path

_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "vocab.json")


def find_source(
    text: str, spec: ModelSpec, *, offline: bool = False, allow_mismatch: bool = False
) -> Source:
    """Finds the files of a model; downloads those of tags and repositories unless `offline`.

    `spec` must not be an export (see `pytorch_spec`). A tag's activation is known, so a mismatch
    is refused before anything is downloaded, unless `allow_mismatch`.

    Raises:
        ModelError: no such model, or a file of it is missing or damaged.
    """
    if spec.kind is SpecKind.HUB:
        return _from_hub(text, spec.source, offline)
    if spec.kind is SpecKind.FOLDER:
        source = from_folder(spec.path)
        return _with_hugging_face(source, True, Path(source.tokenizer))
    config = _built_in(spec.architecture, spec.source)
    if spec.kind is SpecKind.CHECKPOINT:
        return _with_hugging_face(_from_file(spec, config), True)
    entry = open_clip.get_pretrained_cfg(spec.architecture, spec.source)
    if not entry:
        raise ModelError(_unknown_tag(spec))
    trained = activation_of_tag(entry)
    if not allow_mismatch:
        check_activation(text, spec.architecture, computed_activation(config), trained)
    weights = tag_weights(text, entry, offline=offline)
    source = Source(spec.architecture, config, dict(entry), weights, "", trained)
    return _with_hugging_face(source, offline)


def _from_file(spec: ModelSpec, config: dict[str, Any]) -> Source:
    """The weights in a file, for the named architecture, with the settings beside the file."""
    path = spec.path
    beside = path.absolute().parent / CONFIG
    if beside.is_file():
        found = configured(beside, path)
        if not _same(found.config, config):
            raise ModelError(
                f"{beside}: describes {found.architecture}, not {spec.architecture}; write "
                f"local-dir:{beside.parent}"
            )
        trained = computed_activation(found.config)
        where = f"preprocessing and activation: from {CONFIG} beside the file"
        return replace(
            found, architecture=spec.architecture, config=config, tokenizer="",
            activation=trained, notes=(where, *found.notes),
        )  # fmt: skip
    found = settings_of_file(spec.architecture, config, path, checkpoint_sha256(path))
    same = _same(found.config, config)
    return found if same else replace(found, architecture=architecture_name(found.config))


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two configurations differ at most in the activation."""
    drop = ("quick_gelu",)
    return {k: v for k, v in one.items() if k not in drop} == {
        k: v for k, v in other.items() if k not in drop
    }


def _built_in(architecture: str, source: str) -> dict[str, Any]:
    names = open_clip.list_models()
    if architecture not in names:
        if f"{architecture}-{source}" in names:  # the name in OpenAI's package
            raise ModelError(
                f"{architecture}/{source} is called {architecture}-{source} here; write "
                f"{architecture}-{source}-quickgelu/openai for OpenAI's weights, or its TAG or FILE"
            )
        lower = {name.lower(): name for name in names}
        close = difflib.get_close_matches(architecture.lower(), lower, n=5, cutoff=0.5)
        hint = ", ".join(lower[name] for name in close)
        repository = f"{architecture}/{source}"
        raise ModelError(
            f"architecture {architecture!r} is unknown to open_clip; "
            + (f"similar: {hint}" if hint else "see open_clip.list_models()")
            + (
                f"; if {repository} is a repository of a hub, write {HUB_PREFIX}{repository}"
                if "/" not in source
                else ""
            )
        )
    config: dict[str, Any] = open_clip.get_model_config(architecture)
    return config


def _unknown_tag(spec: ModelSpec) -> str:
    if local_path(spec.source).is_dir():
        return (
            f"{spec.source!r} is a folder; name the checkpoint in it: "
            f"{spec.architecture}/{spec.source}/FILE"
        )
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
    folder = hub_folder(text, repository, offline=offline)
    if not (folder / CONFIG).is_file():
        weights = hub_first(text, repository, list(TRANSFORMERS_WEIGHTS), offline)
        if weights.name.endswith(INDEX_SUFFIX):
            for name in shard_names(weights):
                hub_file(text, repository, name, offline=offline)
        return from_folder(folder)
    source = configured(folder / CONFIG, hub_weights(text, repository, offline=offline))
    tokenizer = source.config["text_cfg"].get("hf_tokenizer_name") or repository
    known = activation_of_repository(repository)
    return _with_hugging_face(replace(source, tokenizer=tokenizer, activation=known), offline)


def _with_hugging_face(source: Source, offline: bool, folder: Path | None = None) -> Source:
    """Replaces the names of Hugging Face models in a configuration with local folders."""
    text = dict(source.config["text_cfg"])
    name = text.get("hf_model_name")
    if name:
        text["hf_model_name"] = str(_hugging_face_folder(str(name), folder, offline, source))
    wanted = str(text.get("hf_tokenizer_name") or "")
    tokenizer = source.tokenizer or wanted
    if folder is not None and wanted and not _has_any(folder, _TOKENIZER_FILES):
        tokenizer = _local(wanted, folder) or tokenizer
    return replace(source, config={**source.config, "text_cfg": text}, tokenizer=tokenizer)


def _has_any(folder: Path, names: tuple[str, ...]) -> bool:
    return any((folder / name).is_file() for name in names)


def _local(name: str, folder: Path | None) -> Path | None:
    """The folder at a path in a configuration, relative to the model's folder."""
    try:
        path = Path(name).expanduser()
        path = path if path.is_absolute() or folder is None else folder / path
        return path if path.is_dir() else None
    except (OSError, RuntimeError, ValueError):  # too long for a path; no such user's home
        return None


def _hugging_face_folder(name: str, folder: Path | None, offline: bool, source: Source) -> Path:
    """The local folder with the config.json of a Hugging Face model."""
    path: Path | None = None
    local = _local(name, folder)
    if folder is not None and (folder / "config.json").is_file():
        path = folder / "config.json"
    elif local is not None and (local / "config.json").is_file():
        path = local / "config.json"
    elif not offline:
        path = hub_file(source.architecture, name, "config.json", offline=False)
    else:
        path = _cached_config(name)
    if path is None:
        raise ModelError(
            f"{source.architecture} uses the text tower of {name!r}, whose config.json and "
            "tokenizer are not in the local cache; load them once online, or put them into a "
            f"folder with {CONFIG} and the weights, and write local-dir:FOLDER"
        )
    if "auto_map" in read_json(path):
        raise RefusedError(f"{path}: would run its own code (auto_map); refused")
    return path.parent


def _cached_config(name: str) -> Path | None:
    try:
        cached = try_to_load_from_cache(name, "config.json")
    except ValueError:  # not a repository's name
        return None
    return Path(cached) if isinstance(cached, str) else None
