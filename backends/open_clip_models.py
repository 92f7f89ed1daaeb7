"""Builds an open_clip model from a configuration and a checkpoint, on the CPU, in float32."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from open_clip.coca_model import CoCa
from open_clip.model import CLIP, CustomTextCLIP
from torch import nn
from torch.overrides import TorchFunctionMode

from idia_index.backends.torch_checkpoints import Checkpoint
from idia_index.backends.torch_fit import check_fit, load_weights
from idia_index.backends.torch_unwrap import WeightsChoice
from idia_index.errors import ModelError, RefusedError
from idia_index.support.text import shown

MAX_LAYERS = 512
_RANDOM_FILLS = {
    torch.Tensor.normal_,
    torch.Tensor.uniform_,
    nn.init.normal_,
    nn.init.uniform_,
    nn.init.trunc_normal_,
    nn.init.kaiming_uniform_,
    nn.init.xavier_uniform_,
}


class _NoRandomFill(TorchFunctionMode):
    """Skips random initialization: seconds of work that the checkpoint overwrites."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in _RANDOM_FILLS:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def without_random_fill() -> AbstractContextManager[Any]:
    """Skips random initialization of modules whose weights are loaded next."""
    return _NoRandomFill()


def build_model(
    config: Mapping[str, Any],
    checkpoint: Checkpoint,
    architecture: str,
    choice: WeightsChoice | None = None,
) -> tuple[nn.Module, Checkpoint]:
    """An open_clip model with a checkpoint's weights, and the checkpoint with fitted names.

    Args:
        config: open_clip's `model_cfg`.
        checkpoint: the weights; not copied if they have the model's dtype.
        architecture: name of the architecture, for the messages.
        choice: "raw" or "ema", if the names distinguish two models.

    Raises:
        ModelError: open_clip cannot build the configuration, or the weights do not match it.
    """
    # First without memory: a configuration that asks for terabytes is refused as a mismatch.
    empty = _instance(config, architecture, torch.device("meta"))
    fitting = check_fit(empty, checkpoint, architecture, choice)
    model = _instance(config, architecture, _NoRandomFill())
    load_weights(model, fitting)
    return model.eval().requires_grad_(False), fitting


def check_config(config: Mapping[str, Any], path: Path) -> None:
    """Refuses an open_clip `model_cfg` that is invalid or would do more than build layers.

    Args:
        config: the configuration, untrusted.
        path: its file, for the messages.

    Raises:
        ModelError: a part is missing.
        RefusedError: it has an absurd number of layers, or names a model to fetch.
    """
    towers: list[Any] = [config.get("vision_cfg"), config.get("text_cfg")]
    if not all(isinstance(tower, Mapping) for tower in towers) or "embed_dim" not in config:
        raise ModelError(
            f"{path}: has no model_cfg with embed_dim, vision_cfg and text_cfg; use an intact copy"
        )
    for tower in (*towers, config.get("multimodal_cfg") or {}):
        layers = tower.get("layers", 0)
        counts = layers if isinstance(layers, list) else [layers]
        if not all(isinstance(count, int) and count <= MAX_LAYERS for count in counts):
            raise RefusedError(f"{path}: a tower has {layers!r} layers; refused")
    if not isinstance(config.get("quick_gelu", False), bool):
        raise ModelError(
            f"{path}: quick_gelu is {shown(config['quick_gelu'])}; write true or false"
        )
    # timm would download a model of that name.
    name = str(config["vision_cfg"].get("timm_model_name") or "")
    if ":" in name or "/" in name:
        raise RefusedError(f"{path}: names the model {name!r} to fetch; refused")


def _instance(
    config: Mapping[str, Any], architecture: str, context: AbstractContextManager[Any]
) -> nn.Module:
    """Chooses and calls open_clip's classes as it does, without fetching pretrained weights."""
    options: dict[str, Any] = deepcopy(dict(config))
    custom = options.pop("custom_text", False)
    if options["text_cfg"].get("hf_model_name"):
        options["text_cfg"]["hf_model_pretrained"] = False
        custom = True
    if options["vision_cfg"].get("timm_model_name"):
        options["vision_cfg"]["timm_model_pretrained"] = False
    kind = CLIP if not custom else CoCa if "multimodal_cfg" in options else CustomTextCLIP
    try:
        with context:
            model: nn.Module = kind(**options)
    # A wrong configuration may fail in any module.
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise ModelError(
            f"open_clip cannot build {architecture} from its configuration ({reason}); check the "
            "configuration and the version of open_clip_torch"
        ) from error
    return model
