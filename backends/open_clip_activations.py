"""Checks that weights run with the activation that they were trained with, if that is known.

OpenAI's CLIP and several later models were trained with QuickGELU, others with GELU. The weights
fit both; with the wrong one nothing fails, but every embedding is off. The activation is known
for open_clip's own tags; files whose SHA-256 is in open_clip's table of tags (in full, or the
first eight digits as published in the file's name); repositories in that table; and TorchScript
archives, whose classes name it. For any other file the named architecture decides, and
`open_clip_settings` notes that it is assumed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import open_clip

from idia_index.errors import ModelError

QUICK = "quick_gelu"
PLAIN = "gelu"
QUICK_SUFFIX = "-quickgelu"
NAMES = {QUICK: "QuickGELU", PLAIN: "GELU"}


def computed_activation(config: Mapping[str, Any]) -> str:
    """Activation of a model built from an open_clip configuration."""
    if config.get("quick_gelu", False):
        return QUICK
    variants = {
        str((config.get(tower) or {}).get("act_kwargs", {}).get("approximate", "none"))
        for tower in ("vision_cfg", "text_cfg")
        if (config.get(tower) or {}).get("act_kwargs")
    }
    return "_".join([PLAIN, *sorted(variants - {"none"})])


def activation_of_tag(config: Mapping[str, Any]) -> str:
    """Activation that the weights of an open_clip tag were trained with."""
    return QUICK if config.get("quick_gelu", False) else PLAIN


def _table() -> Iterator[Mapping[str, Any]]:
    for architecture, tag in open_clip.list_pretrained():
        yield open_clip.get_pretrained_cfg(architecture, tag)


def tag_of_hash(sha256: str) -> Mapping[str, Any] | None:
    """The open_clip tag of the weights with this SHA-256."""
    for config in _table():
        url = str(config.get("url", ""))
        whole = re.search(r"/([0-9a-f]{64})/", url)
        start = re.search(r"-([0-9a-f]{8})\.pth?$", url)
        if (whole and whole[1] == sha256) or (start and sha256.startswith(start[1])):
            return config
    return None


def activation_of_hash(sha256: str) -> str | None:
    """Activation of the weights with this SHA-256, if open_clip's table has it."""
    config = tag_of_hash(sha256)
    return None if config is None else activation_of_tag(config)


def activation_of_repository(name: str) -> str | None:
    """Activation of the weights in a repository, if open_clip's table has it."""
    for config in _table():
        if str(config.get("hf_hub", "")).strip("/").lower() == name.lower():
            return activation_of_tag(config)
    return None


def check_activation(model: str, architecture: str, computed: str, trained: str | None) -> None:
    """Refuses weights with an activation that they were not trained with.

    Raises:
        ModelError: they differ; names the architecture that fits, if there is one.
    """
    if trained is None or (computed == QUICK) == (trained == QUICK):
        return
    fitting = architecture.removesuffix(QUICK_SUFFIX) + (QUICK_SUFFIX if trained == QUICK else "")
    remedy = (
        f"use {model.replace(architecture, fitting, 1)}"
        if architecture and fitting in open_clip.list_models() and model.startswith(architecture)
        else f"set quick_gelu to {str(trained == QUICK).lower()} in its configuration"
    )
    raise ModelError(
        f"model {model}: its weights were trained with {NAMES[trained]}, {architecture or 'it'} "
        f"computes {NAMES.get(computed, computed)}; {remedy}, state the activation "
        "(--activation), or allow the mismatch (--allow-activation-mismatch) to repeat figures "
        "made with it"
    )
