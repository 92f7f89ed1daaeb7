"""Small open_clip models with random weights, their files, and plain open_clip as reference."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from open_clip.coca_model import CoCa
from open_clip.model import CLIP, CustomTextCLIP
from PIL import Image
from safetensors.torch import save_file
from torch.nn import functional as F  # noqa: N812

TINY = "idia-tiny"
TINY_QUICK = "idia-tiny-quickgelu"
# The smallest that still has two of everything; CLIP's whole vocabulary, as its tokenizer needs.
TINY_CONFIG: Mapping[str, Any] = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {
        "context_length": 77,
        "vocab_size": 49408,
        "width": 32,
        "heads": 2,
        "layers": 2,
    },
}
TEXTS = (
    "a photo of Jane Doe",
    "a photo of John Smith at the beach",
    "Jane Doe",
    "x",
    "a photo of Jane Doe",
    "an image of Zoë O'Neill-Nakamura, 1984 & friends",
)


def config(text: Mapping[str, Any] | None = None, **options: Any) -> dict[str, Any]:
    """TINY_CONFIG with other options for the model and for its text tower."""
    made: dict[str, Any] = json.loads(json.dumps(TINY_CONFIG))
    made.update(options)
    made["text_cfg"].update(text or {})
    return made


def register_tiny(folder: Path) -> None:
    """Makes the tiny architectures known to open_clip under names."""
    for name, quick in ((TINY, False), (TINY_QUICK, True)):
        path = folder / f"{name}.json"
        path.write_text(json.dumps(config(quick_gelu=True) if quick else config()))
        open_clip.add_model_config(path)


def build(cfg: Mapping[str, Any], seed: int = 0) -> Any:
    """A model of a configuration with random weights, as plain open_clip builds it."""
    torch.manual_seed(seed)
    options = json.loads(json.dumps(cfg))
    custom = options.pop("custom_text", False) or "hf_model_name" in options["text_cfg"]
    if "hf_model_name" in options["text_cfg"]:
        options["text_cfg"]["hf_model_pretrained"] = False
    kind = CLIP if not custom else CoCa if "multimodal_cfg" in options else CustomTextCLIP
    return _stirred(kind(**options))


def create(architecture: str, seed: int = 0) -> Any:
    """A built-in architecture with random weights, from open_clip's own factory."""
    torch.manual_seed(seed)
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.ERROR)  # it warns that the weights are random
    try:
        return _stirred(open_clip.create_model(architecture))
    finally:
        logging.getLogger().setLevel(level)


def _stirred(model: Any) -> Any:
    """Initial biases are 0 and initial gains 1, which would hide a swap of two of them."""
    with torch.no_grad():
        for name, value in model.named_parameters():
            if value.ndim == 1 and "embedding" not in name:
                value.add_(0.1 * torch.randn_like(value))
    return model.eval()


def unit_texts(model: Any, texts: Sequence[str], tokenizer: Any = None) -> np.ndarray:
    """Text embeddings float32 [n, D] by open_clip alone, every text padded to the context."""
    tokenizer = tokenizer or open_clip.tokenizer._tokenizer  # which it has made for all
    with torch.inference_mode():
        rows = model.encode_text(tokenizer(list(texts)), normalize=False)
    return F.normalize(rows, dim=-1).numpy()


def unit_images(model: Any, images: Sequence[Image.Image], size: int) -> np.ndarray:
    """Image embeddings float32 [n, D] by open_clip alone, with its default preprocessing."""
    transform = open_clip.image_transform(size, is_train=False)
    with torch.inference_mode():
        rows = model.encode_image(torch.stack([transform(i) for i in images]), normalize=False)
    return F.normalize(rows, dim=-1).numpy()


def pictures(count: int = 3) -> list[Image.Image]:
    """Images of noise, of several sizes and modes."""
    random = np.random.default_rng(0)
    made = []
    for i, mode in zip(range(count), ("RGB", "L", "RGBA", "P") * count, strict=False):
        pixels = random.integers(0, 256, (60 + 30 * i, 90, 3), dtype=np.uint8)
        made.append(Image.fromarray(pixels).convert(mode))
    return made


def save_folder(folder: Path, cfg: Mapping[str, Any], model: Any, **preprocess: Any) -> Path:
    """A folder as open_clip pushes it to a hub."""
    folder.mkdir(parents=True, exist_ok=True)
    data = {"model_cfg": cfg, "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(data))
    weights = {name: value.contiguous() for name, value in model.state_dict().items()}
    save_file(weights, folder / "open_clip_model.safetensors")
    return folder
