"""Small open_clip models with random weights and their exports, for the tests of the export.

Tracing a tower takes seconds: it is done once for all the processes that run the tests.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import onnx_ir as ir
import open_clip
import pytest
import torch
from open_clip.model import CLIP
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image
from shared import one_at_a_time, shared_by_all

from idia_index.backends import onnx_graphs
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
    """Writes a model folder with random weights; returns its SPEC.

    Weights are drawn by their names: towers of the same settings are the same in all models.
    """
    folder.mkdir(parents=True)
    model = CLIP(**config)
    for name, parameter in model.named_parameters():
        # open_clip starts with near zero weights and zero biases, which hide mistakes.
        drawn = torch.Generator().manual_seed(zlib.crc32(name.encode()))
        torch.nn.init.normal_(parameter, std=0.2, generator=drawn)
    torch.save(model.state_dict(), folder / "open_clip_pytorch_model.bin")
    data = {"model_cfg": config, "preprocess_cfg": preprocessing or {}}
    (folder / "open_clip_config.json").write_text(json.dumps(data))
    return f"local-dir:{folder}"


@cache
def tiny_backend(base: Path) -> OpenClipBackend:
    """The tiny model, the same for all tests; `base` is where this process has its files."""
    folder = shared_by_all(base) / "tiny-model"
    with one_at_a_time(folder):
        if not folder.exists():
            write_model(folder, tiny_config())
    return OpenClipBackend(model=f"local-dir:{folder}", device="cpu")


def tiny_export(base: Path, dtype: str = "float32") -> Path:
    """The tiny model's export, not to be written to."""
    backend, folder = tiny_backend(base), shared_by_all(base) / f"tiny-export-{dtype}"
    with one_at_a_time(folder):
        if not folder.exists():
            with traced_once(base):
                export_model(backend, folder, dtype)
    return folder


@contextmanager
def traced_once(base: Path) -> Iterator[None]:
    """Within, PyTorch's exporter is not asked again for a tower that it has traced."""
    trace: Callable[..., ir.Model] = onnx_graphs._export
    folder = shared_by_all(base) / "traced"
    folder.mkdir(exist_ok=True)

    def traced(tower: torch.nn.Module, *rest: Any) -> ir.Model:
        file = folder / f"{_digest(tower)}.onnx"
        with one_at_a_time(file):
            if not file.exists():
                ir.save(trace(tower, *rest), file)
        return ir.load(file)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx_graphs, "_export", traced)
        yield


def _digest(tower: torch.nn.Module) -> str:
    """Of its modules with their settings, and of its weights."""
    found = hashlib.sha256()
    for name, module in tower.named_modules():
        settings = {k: v for k, v in vars(module).items() if isinstance(v, int | float | str)}
        found.update(f"{name} {type(module)} {sorted(settings.items())}\n".encode())
    for name, weights in tower.state_dict().items():
        found.update(f"{name} {tuple(weights.shape)}\n".encode() + weights.numpy().tobytes())
    return found.hexdigest()


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
