"""Runs SigLIP and SigLIP 2 with Hugging Face transformers, behind open_clip's interface.

open_clip has these models only at the published sizes, so a folder's model is transformers' own,
with its own tokenizer: padded to the full context, with every token visible.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from idia_index.backends.open_clip_models import MAX_LAYERS, without_random_fill
from idia_index.backends.torch_checkpoints import Checkpoint
from idia_index.backends.torch_fit import check_fit, load_weights
from idia_index.backends.torch_unwrap import WeightsChoice
from idia_index.errors import MissingExtraError, ModelError, RefusedError
from idia_index.support.text import shown

_TOKENIZER_FILES = ("tokenizer.json", "spiece.model", "tokenizer.model")


def siglip_config(data: Mapping[str, Any], path: Path) -> Any:
    """transformers' `SiglipConfig` from a config.json.

    Raises:
        ModelError: it is not one, or has no image embedding.
        MissingExtraError: transformers is not installed.
    """
    transformers = _transformers()
    for tower in ("text_config", "vision_config"):
        part = data.get(tower) or {}
        layers = part.get("num_hidden_layers", 12) if isinstance(part, Mapping) else None
        if not isinstance(layers, int) or not 0 < layers <= MAX_LAYERS:
            raise RefusedError(f"{path}: {tower} has {shown(layers)} layers; refused")
    if "auto_map" in data:
        raise RefusedError(f"{path}: would run its own code (auto_map); refused")
    try:
        config = transformers.SiglipConfig.from_dict(dict(data))
    # Its checks raise its own errors.
    except Exception as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()[:200]
        raise ModelError(
            f"{path}: not a SigLIP configuration ({reason}); use an intact copy"
        ) from error
    vision = config.vision_config
    if not vision.vision_use_head or not isinstance(vision.image_size, int):
        raise ModelError(
            f"{path}: its image tower has no pooling head, or a non-square input; such models "
            "are not supported, name another"
        )
    return config


def _transformers() -> Any:
    try:
        import transformers
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            "a SigLIP folder of transformers", "transformers", "torch"
        ) from error
    return transformers


def build_siglip(
    config: Any, checkpoint: Checkpoint, architecture: str, choice: WeightsChoice | None = None
) -> tuple[SiglipTowers, Checkpoint]:
    """The model with a checkpoint's weights, and the checkpoint with fitted names."""
    model_class = _transformers().SiglipModel

    def made() -> Any:
        try:
            return model_class(config)
        # A wrong configuration may fail in any module.
        except Exception as error:
            raise ModelError(
                f"{checkpoint.path}: transformers cannot build {architecture} from its "
                f"configuration ({shown(error, 200)}); use an intact copy"
            ) from error

    with torch.device("meta"):
        empty = made()
    fitting = check_fit(empty, checkpoint, architecture, choice)
    with without_random_fill():
        model = made()
    load_weights(model, fitting)
    return SiglipTowers(model).eval().requires_grad_(False), fitting


class SiglipTowers(nn.Module):
    """A SigLIP model with the interface of open_clip's.

    Args:
        model: transformers' `SiglipModel`.
    """

    pad: int | None = None

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.visual = _Images(model)
        self.context_length = int(model.config.text_config.max_position_embeddings)
        self.vocab_size = int(model.config.text_config.vocab_size)

    @property
    def logit_scale(self) -> Tensor:
        """Log of the scale, as in open_clip's models."""
        scale: Tensor = self.model.logit_scale
        return scale

    def encode_text(self, ids: Tensor, normalize: bool = False) -> Tensor:
        """Token ids int64 [n, L] -> [n, D]; `pad` is masked if the tokenizer makes a mask."""
        mask = None if self.pad is None else (ids != self.pad).long()
        out = self.model.text_model(input_ids=ids, attention_mask=mask).pooler_output
        return nn.functional.normalize(out, dim=-1) if normalize else out


class _Images(nn.Module):
    def __init__(self, model: Any) -> None:
        super().__init__()
        self.vision: Any = model.vision_model
        self.image_size = int(model.config.vision_config.image_size)

    def forward(self, pixels: Tensor) -> Tensor:
        """Preprocessed images [m, 3, H, W] -> [m, D]."""
        embedding: Tensor = self.vision(pixel_values=pixels).pooler_output
        return embedding


class SiglipTokenizer:
    """A folder's own tokenizer, with the interface of open_clip's.

    Args:
        folder: the folder of its files.
        context_length: the length that texts are padded to.
        vocab_size: rows of the model's token embeddings.

    Raises:
        ModelError: the folder has no tokenizer, or one that does not match the model.
    """

    tokenizer_mode = ""
    strip_sep_token = False

    def __init__(self, folder: Path, context_length: int, vocab_size: int) -> None:
        if not any((folder / name).is_file() for name in _TOKENIZER_FILES):
            raise ModelError(
                f"{folder}: has no tokenizer ({', '.join(_TOKENIZER_FILES)}); add the model's "
                "tokenizer files"
            )
        try:
            self.tokenizer: Any = _transformers().AutoTokenizer.from_pretrained(
                str(folder), local_files_only=True, trust_remote_code=False
            )
        # transformers raises OSError, ValueError, KeyError, ... for invalid files.
        except Exception as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
            raise ModelError(
                f"{folder}: cannot load its tokenizer ({reason}); use intact files, or install "
                "what it needs (pip install sentencepiece protobuf)"
            ) from error
        if self.tokenizer.pad_token_id is None or len(self.tokenizer) > vocab_size:
            raise ModelError(
                f"{folder}: its tokenizer has {len(self.tokenizer)} tokens and pads with "
                f"{self.tokenizer.pad_token_id}, the model has {vocab_size}; use the model's own "
                "tokenizer files"
            )
        self.context_length = context_length
        masks = "attention_mask" in self.tokenizer.model_input_names
        self.pad: int | None = self.tokenizer.pad_token_id if masks else None

    @staticmethod
    def clean_fn(text: str) -> str:
        """Texts are cleaned by the tokenizer itself."""
        return text

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """Token ids int64 [n, context_length]."""
        made = self.tokenizer(
            list(texts), padding="max_length", max_length=self.context_length, truncation=True,
            return_tensors="pt",
        )  # fmt: skip
        ids: Tensor = made["input_ids"]
        return ids
