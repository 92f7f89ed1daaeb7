"""Small open_clip models with random weights and their exports, for the tests of the export."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.model import CLIP
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image

from idia_index.backends.onnx_export import export_model
from idia_index.backends.onnx_format import MANIFEST, list_files, manifest_text, read_manifest
from idia_index.backends.open_clip import OpenClipBackend
from idia_index.types import Float32

DIM = 24
_VISION = {"image_size": 32, "layers": 2, "width": 32, "head_width": 16, "patch_size": 8}
_TEXT = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}


def tiny_config(
    vision: dict[str, Any] | None = None, text: dict[str, Any] | None = None, **changes: Any
) -> dict[str, Any]:
    """An open_clip `model_cfg`."""
    towers = {"vision_cfg": {**_VISION, **(vision or {})}, "text_cfg": {**_TEXT, **(text or {})}}
    return {"embed_dim": DIM, **towers, **changes}


def write_model(
    folder: Path, config: dict[str, Any], preprocessing: dict[str, Any] | None = None
) -> str:
    """Writes a model folder with random weights; returns its SPEC."""
    folder.mkdir(parents=True)
    torch.manual_seed(7)
    model = CLIP(**config)
    for parameter in model.parameters():
        # open_clip starts with near zero weights and zero biases, which hide mistakes.
        torch.nn.init.normal_(parameter, std=0.2)
    torch.save(model.state_dict(), folder / "open_clip_pytorch_model.bin")
    data = {"model_cfg": config, "preprocess_cfg": preprocessing or {}}
    (folder / "open_clip_config.json").write_text(json.dumps(data))
    return f"local-dir:{folder}"


@cache
def tiny_backend(base: Path) -> OpenClipBackend:
    """The tiny model, the same for all tests below a base folder."""
    return OpenClipBackend(model=write_model(base / "tiny-model", tiny_config()), device="cpu")


def tiny_export(base: Path, dtype: str = "float32") -> Path:
    """The tiny model's export, not to be written to."""
    return _tiny_export(base, dtype)


@cache
def _tiny_export(base: Path, dtype: str) -> Path:
    return export_model(tiny_backend(base), base / f"tiny-export-{dtype}", dtype).folder


@torch.inference_mode()
def published_texts(backend: OpenClipBackend, texts: Sequence[str]) -> Float32:
    """Text embeddings as open_clip users make them: padded, whole, without packs."""
    length = backend.tokenizer.context_length
    ids = open_clip.tokenize(list(texts), context_length=length)
    rows: Float32 = backend.clip.encode_text(ids, normalize=True).numpy()
    return rows


@torch.inference_mode()
def published_images(backend: OpenClipBackend, images: Sequence[Image.Image]) -> Float32:
    """Image embeddings as open_clip users make them."""
    transform = image_transform_v2(PreprocessCfg(**backend.preprocessing), is_train=False)
    pixels = torch.stack([transform(image) for image in images])
    rows: Float32 = backend.clip.encode_image(pixels, normalize=True).numpy()
    return rows


def resign(folder: Path) -> None:
    """Makes a manifest fit files that were changed, as who made the export on purpose would."""
    manifest = replace(read_manifest(folder), files=list_files(folder))
    (folder / MANIFEST).write_text(manifest_text(manifest), encoding="utf-8")
