"""What the fuzzers begin with: one good input and more for each parser, made by the program."""

from __future__ import annotations

import io
import json
import sys
import tempfile
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from idia_index import build_index
from idia_index.evaluation.settings import Measurement, Settings
from idia_index.indexes.flat import FlatType
from idia_index.indexes.numpy_oracle import NumpyType
from idia_index.indexes.quantized import BFloat16ExactType, Float16Type
from idia_index.pipelines.change import add_names, add_templates, remove_names
from idia_index.pipelines.evaluate import gather
from idia_index.prompts.names import make_names
from idia_index.prompts.templates import JAIR2024
from idia_index.report.data import evaluation_result
from idia_index.subjects.subjects import Subject
from idia_index.types import Float32

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from toy_backend import DIM, ToyBackend

SHAPE = (2, 12, DIM)
TYPES = {
    index_type.name: index_type()
    for index_type in (FlatType, NumpyType, Float16Type, BFloat16ExactType)
}


@cache
def index_files() -> dict[str, bytes]:
    """The files of a small index that has grown."""
    toy = ToyBackend(model="toy")
    names = make_names([f"First{i % 7} Last{i}" for i in range(20)])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "index"
        build_index(folder, toy, names[:14], JAIR2024[:2])
        add_names(folder, toy, make_names(names[14:]))
        remove_names(folder, make_names(names[3:5]))
        add_templates(folder, toy, JAIR2024[2:3])
        return {file.name: file.read_bytes() for file in folder.iterdir()}


@cache
def shard(index_type: str) -> bytes:
    """A shard file of `SHAPE` rows."""
    random = np.random.default_rng(0)
    rows: Float32 = random.standard_normal(SHAPE).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=2, keepdims=True)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "shard"
        TYPES[index_type].write_shard(path, rows)
        return path.read_bytes()


def pictures() -> list[bytes]:
    """A small image in every format that is read, with EXIF, palettes and frames."""
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    image, exif = Image.fromarray(pixels), Image.Exif()
    exif[0x0112] = 6
    found = []
    for suffix, mode, options in (
        ("PNG", "RGB", {"exif": exif}), ("PNG", "P", {}), ("PNG", "LA", {}), ("PNG", "1", {}),
        ("JPEG", "RGB", {"exif": exif}), ("JPEG", "CMYK", {}), ("JPEG", "L", {"progressive": True}),
        ("GIF", "P", {"save_all": True, "append_images": [image.rotate(90)]}),
        ("WEBP", "RGB", {"exif": exif}), ("WEBP", "RGBA", {"lossless": True}),
        ("TIFF", "RGB", {"compression": "tiff_lzw"}), ("TIFF", "CMYK", {}), ("BMP", "RGB", {}),
    ):  # fmt: skip
        file = io.BytesIO()
        image.convert(mode).save(file, suffix, **options)
        found.append(file.getvalue())
    return found


@cache
def photos(kind: str) -> list[bytes]:
    """Small images as phones write them, upright and turned; none where nothing writes them."""
    pixels = np.random.default_rng(0).integers(0, 256, (24, 20, 3), dtype=np.uint8)
    image, exif = Image.fromarray(pixels), Image.Exif()
    exif[0x0112] = 6
    package = {"HEIF": "pillow_heif", "JXL": "pillow_jxl"}.get(kind)
    if package is not None and find_spec(package) is None:
        return []
    if kind == "HEIF":
        import_module(package or "").register_heif_opener()
    elif package is not None:
        import_module(package)
    more: dict[str, Any] = {"save_all": True, "append_images": [image.rotate(90)]}
    found = []
    for options in ({}, {"exif": exif.tobytes()}, {} if kind == "JXL" else more):
        file = io.BytesIO()
        image.save(file, kind, **options)
        found.append(file.getvalue())
    return found


def report() -> bytes:
    """A report of an evaluation."""
    backend = ToyBackend(model="toy")
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "a.png"
        image.write_bytes(pictures()[0])
        names = make_names(["Jane Doe", "Joan Roe", "Jack Loe"])
        index = build_index(Path(folder) / "i", backend, names)
        people = [Subject("Jane Doe", (image,), None, 3), Subject("Jack Loe", (image,), None, 9)]
        evidence = gather(index, backend, people, Measurement())
        settings = Settings(sizes=(1,), min_images=1, max_training_count=5)
        return json.dumps(evaluation_result(evidence, settings).to_dict()).encode()


@cache
def export_manifest() -> bytes:
    """The manifest of the export that travels with the package."""
    from idia_index.study import ONNX_DIR

    return (Path(str(ONNX_DIR)) / "manifest.json").read_bytes()


@cache
def graph() -> bytes:
    """An ONNX file: a product of two matrices, and a tensor with its data beside it."""
    from idia_index.backends.onnx_runtime import _field, _product_model

    place = _field(1, b"location") + _field(2, b"text.onnx.data")
    tensor = _field(5, _field(8, b"w") + _field(13, place) + _field(14, 1))
    return _product_model() + _field(7, tensor)


@cache
def merges() -> list[str]:
    """The first lines of CLIP's merges."""
    from idia_index.backends.onnx_format import MERGES
    from idia_index.study import ONNX_DIR

    return (Path(str(ONNX_DIR)) / MERGES).read_text(encoding="utf-8").split("\n")


def checkpoints() -> dict[str, list[bytes]]:
    """Small checkpoints of every format; none without PyTorch."""
    import torch
    from safetensors.torch import save

    weights: dict[str, Any] = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.ones(2)}
    found = []
    for new in (True, False):
        for state in (weights, {"state_dict": weights, "epoch": 3}):
            file = io.BytesIO()
            torch.save(state, file, _use_new_zipfile_serialization=new)
            found.append(file.getvalue())
    archive = io.BytesIO()
    torch.jit.save(torch.jit.trace(torch.nn.Linear(3, 2), torch.zeros(1, 3)), archive)  # type: ignore[no-untyped-call]
    return {"torch": found, "safetensors": [save(weights)], "torchscript": [archive.getvalue()]}
