"""Finds the preprocessing and activation of a weights file, which does not state them.

Sources, in this order: the user's options; an open_clip_config.json beside the file; the
trainer's params.txt; the open_clip tag of the file, known by its SHA-256; what all published
weights of the architecture agree on. Anything else is assumed, and a note that begins with
"assumed:" says so in the terminal, the index and its reports.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import open_clip

from idia_index.backends.fingerprints import PREPROCESSING_DEFAULTS
from idia_index.backends.open_clip_activations import (
    NAMES,
    QUICK,
    QUICK_SUFFIX,
    activation_of_tag,
    computed_activation,
    tag_of_hash,
)
from idia_index.backends.open_clip_folders import Source, architecture_name
from idia_index.backends.open_clip_trainer import TrainerParams, trainer_params
from idia_index.backends.settings import SETTINGS
from idia_index.errors import ModelError
from idia_index.support.text import shown_path

ASSUMED = "assumed: "


def settings_of_file(architecture: str, config: dict[str, Any], path: Path, sha256: str) -> Source:
    """The weights file of a named architecture, with its settings.

    Raises:
        ModelError: a file beside it names another architecture or is not understood.
    """
    source = Source(architecture, config, {}, path, "")
    params = trainer_params(path)
    if params is not None:
        return _of_run(source, params)
    entry = tag_of_hash(sha256)
    if entry is not None and entry.get("mean"):
        known = {key: entry[key] for key in SETTINGS}
        note = "preprocessing and activation: as published for this file (by its SHA-256)"
        activation = activation_of_tag(entry)
        return replace(source, preprocessing=known, activation=activation, notes=(note,))
    trained = None if entry is None else activation_of_tag(entry)
    return _of_published(source, trained)


def _of_run(source: Source, params: TrainerParams) -> Source:
    architecture, config = source.architecture, source.config
    mine = architecture.removesuffix(QUICK_SUFFIX)
    if params.architecture.removesuffix(QUICK_SUFFIX) != mine:
        raise ModelError(
            f"{params.path}: the weights were trained as {params.architecture}, not "
            f"{architecture}; write {params.architecture}/FILE"
        )
    where = shown_path(str(params.path))
    notes = [f"preprocessing and architecture: from the trainer's {where}"]
    trained: str | None = computed_activation(params.config)
    if params.activation_unsure:
        computed = QUICK if config.get("quick_gelu") else None
        trained = computed
        if computed is None:
            notes.append(
                f"{ASSUMED}activation {NAMES[computed_activation(config)]}: {where} starts from "
                "OpenAI's weights, which open_clip fine-tuned with QuickGELU before version 3 and "
                "with GELU since; state it with --activation"
            )
    made = {**params.config, "quick_gelu": bool(config.get("quick_gelu", False))}
    if not made["quick_gelu"]:
        made.pop("quick_gelu")
    return replace(
        source, config=made, preprocessing=params.preprocessing, activation=trained,
        notes=tuple(notes),
    )  # fmt: skip


def _of_published(source: Source, trained: str | None) -> Source:
    architecture, config = source.architecture, source.config
    tags = open_clip.list_pretrained_tags_by_model(architecture)
    entries = [open_clip.get_pretrained_cfg(architecture, tag) for tag in tags]
    agreed = {
        key: entries[0][key]
        for key in SETTINGS
        if entries and len({str(entry.get(key)) for entry in entries}) == 1
    }
    activations = {activation_of_tag(entry) for entry in entries}
    if trained is None and len(activations) == 1:
        trained = next(iter(activations))
    notes = [*_preprocessing_notes(architecture, agreed, len(entries))]
    if trained is None and _has_choice(config) and not architecture.endswith(QUICK_SUFFIX):
        why = "published weights differ" if entries else "there are no published weights"
        notes.append(
            f"{ASSUMED}activation {NAMES.get(computed_activation(config), 'of its own')}, as "
            f"in {architecture}: {why}; QuickGELU is right for weights fine-tuned from OpenAI's; "
            "state it with --activation"
        )
    defaults = {key: PREPROCESSING_DEFAULTS[key] for key in SETTINGS}
    return replace(
        source, preprocessing={**defaults, **agreed}, activation=trained, notes=tuple(notes)
    )


def _preprocessing_notes(architecture: str, agreed: Mapping[str, Any], count: int) -> Iterator[str]:
    if agreed:
        yield (
            f"{', '.join(agreed)}: as all published weights of {architecture} have "
            f"{'it' if len(agreed) == 1 else 'them'} ({count})"
        )
    rest = [key for key in SETTINGS if key not in agreed]
    if rest:
        why = "published weights differ" if count else "there are no published weights"
        yield (
            f"{ASSUMED}{', '.join(rest)} of OpenAI's CLIP: {why} of {architecture}, and the file "
            "does not state them; use --preprocess to do so"
        )


def _has_choice(config: Mapping[str, Any]) -> bool:
    """Whether QuickGELU changes anything; timm and Hugging Face towers have their own."""
    text, vision = config["text_cfg"], config["vision_cfg"]
    return not (text.get("hf_model_name") and vision.get("timm_model_name"))


def with_statements(
    source: Source, preprocess: Mapping[str, Any] | None, activation: str | None
) -> Source:
    """A source with the user's statements in place of what was found or assumed.

    Args:
        source: what was found.
        preprocess: from `settings.read_preprocessing`; None keeps what was found.
        activation: "gelu" or "quick_gelu"; None keeps what was found.

    Raises:
        InputError: an activation is stated for a model whose activation is fixed.
    """
    if activation is not None and source.siglip is not None:
        raise ModelError(
            "--activation: a SigLIP folder's config.json states its activation; omit the option"
        )
    notes = list(source.notes)
    if preprocess is not None:
        notes = [note for note in notes if not _is_about(note, SETTINGS)]
        notes.append("preprocessing: as stated (--preprocess)")
        source = replace(source, preprocessing=dict(preprocess))
    if activation is not None:
        notes = [note for note in notes if not _is_about(note, ("activation",))]
        notes.append(f"activation {NAMES[activation]}: as stated (--activation)")
        config = {**source.config, "quick_gelu": activation == QUICK}
        name = source.architecture if config == source.config else architecture_name(config)
        source = replace(source, architecture=name, config=config, activation=activation)
    return replace(source, notes=tuple(notes))


def is_activation_note(note: str) -> bool:
    """Whether a note states an assumed activation."""
    return note.startswith(f"{ASSUMED}activation")


def _is_about(note: str, words: tuple[str, ...]) -> bool:
    return note.removeprefix(ASSUMED).startswith(words)
