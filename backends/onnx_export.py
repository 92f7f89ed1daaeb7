"""Exports a model of the open_clip backend to ONNX files."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from idia_index.backends.clip_bpe import CLEANING, ClipTokenizer, merges_text
from idia_index.backends.onnx_format import (
    DTYPES,
    MANIFEST,
    MERGES,
    ExportManifest,
    list_files,
    manifest_text,
)
from idia_index.backends.onnx_unfinished import unfinished
from idia_index.encode.preprocessing import Preprocessing
from idia_index.errors import IdiaIndexError, InputError, MissingExtraError, ModelError
from idia_index.support.files import local_path, unwritable

try:
    import torch
    from open_clip.tokenizer import get_clean_fn

    from idia_index.backends.onnx import OnnxBackend, export_fingerprint
    from idia_index.backends.onnx_graphs import write_image_graph, write_text_graph
    from idia_index.backends.onnx_probe import ProbeReport, probe
    from idia_index.backends.open_clip import OpenClipBackend
except ModuleNotFoundError as error:
    raise MissingExtraError("an export", error.name or "onnx", "export") from error

# Measured with ViT-B-32 on two AVX-512 cores: see benchmarks/onnx_text.py.
PACK_NODES = 128
PACK_BATCH = 2

_FIX = "use it with the open_clip backend"
_PACKAGES = ("idia-index", "torch", "onnx", "onnxscript", "onnxruntime", "open_clip_torch")


@dataclass(frozen=True)
class ExportReport:
    """A finished export: its folder, its manifest, and its difference from the source."""

    folder: Path
    manifest: ExportManifest
    probe: ProbeReport


def export_model(
    backend: OpenClipBackend, out_dir: str | os.PathLike[str], dtype: str = "float32"
) -> ExportReport:
    """Exports a model for the onnx backend and compares the two on a probe.

    The directory appears only once it is complete and has passed the probe.

    Args:
        backend: the model, loaded on the CPU in float32.
        out_dir: the directory to create; it must not exist.
        dtype: how to store weights, "float32" or "float16"; computation is in float32.

    Raises:
        InputError: `out_dir` exists, or this kind of model cannot be exported.
        IdiaIndexError: the export cannot be written, or is not faithful.
    """
    folder = local_path(out_dir).absolute()
    _check_request(backend, folder, dtype)
    with unfinished(folder) as temporary:
        try:
            manifest = _write(backend, temporary, dtype)
            report = ExportReport(folder, manifest, _probe(backend, temporary, dtype))
            temporary.rename(folder)
        except OSError as error:
            raise unwritable(folder, error) from error
    return report


def _check_request(backend: OpenClipBackend, folder: Path, dtype: str) -> None:
    if dtype not in DTYPES:
        raise InputError(f"dtype {dtype!r} cannot be exported; available: {', '.join(DTYPES)}")
    if os.path.lexists(folder):
        raise InputError(f"{folder} exists; name a new directory")
    if backend.packed_tower is None:
        raise ModelError(
            f"model {backend.model} cannot be exported: {backend.pack_refusal}; {_FIX}"
        )
    weights = next(backend.image_tower.parameters())
    # On a CPU, bfloat16 may round only the products, while the weights stay float32.
    precision = backend.fingerprint.precision
    if (weights.device.type, weights.dtype, precision) != ("cpu", torch.float32, "float32"):
        raise ModelError(
            f"model {backend.model} is loaded on {weights.device} in {precision}; "
            "load it with device cpu in float32 to export it"
        )


def _write(backend: OpenClipBackend, folder: Path, dtype: str) -> ExportManifest:
    clean = _write_tokenizer(backend, folder)
    preprocessing = _preprocessing(backend)
    size = (preprocessing.height, preprocessing.width)
    model = backend.clip
    _graph("image", backend, lambda: write_image_graph(model, size, folder, dtype))
    _graph("text", backend, lambda: write_text_graph(model, folder, dtype))
    assert backend.text_tower is not None
    manifest = ExportManifest(
        fingerprint=export_fingerprint(backend.fingerprint, dtype),
        dtype=dtype,
        context_length=backend.text_tower.context_length,
        clean=clean,
        preprocessing=preprocessing,
        pack_nodes=PACK_NODES,
        pack_batch=PACK_BATCH,
        files=list_files(folder),
        versions=_versions(),
        notes=tuple(backend.notes),
        logit_scale=backend.logit_scale,
    )
    (folder / MANIFEST).write_text(manifest_text(manifest), encoding="utf-8")
    return manifest


def _graph(what: str, backend: OpenClipBackend, write: Callable[[], None]) -> None:
    try:
        write()
    except (IdiaIndexError, OSError):
        raise
    # On a module that it cannot trace, the exporter may raise anything.
    except Exception as error:
        # Its own message says only that it failed; the cause is at the end of the chain.
        cause: BaseException = error
        while cause.__cause__ is not None:
            cause = cause.__cause__
        reason = (str(cause).strip().splitlines() or [type(cause).__name__])[0][:200]
        raise ModelError(
            f"model {backend.model} cannot be exported: PyTorch's exporter fails on its "
            f"{what} tower ({reason}); {_FIX}"
        ) from error


def _write_tokenizer(backend: OpenClipBackend, folder: Path) -> str:
    """Writes the merges, checks that they give the model's vocabulary; returns the cleaning."""
    tokenizer: Any = backend.tokenizer
    clean = next((name for name in CLEANING if get_clean_fn(name) is tokenizer.clean_fn), None)
    merges = sorted(tokenizer.bpe_ranks, key=tokenizer.bpe_ranks.__getitem__)
    path = folder / MERGES
    path.write_text(merges_text(merges), encoding="utf-8", newline="\n")
    if clean is None or ClipTokenizer.load(path, clean).vocabulary != tokenizer.encoder:
        raise ModelError(
            f"model {backend.model} cannot be exported: its tokenizer is not CLIP's own; {_FIX}"
        )
    return clean


def _preprocessing(backend: OpenClipBackend) -> Preprocessing:
    try:
        return Preprocessing.from_open_clip(backend.preprocessing)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"model {backend.model} cannot be exported: its preprocessing has {error}; {_FIX}"
        ) from error


def _probe(backend: OpenClipBackend, folder: Path, dtype: str) -> ProbeReport:
    # The sessions close when this returns: some systems cannot rename open files.
    return probe(backend, lambda: OnnxBackend(model=str(folder), device="cpu", dtype=dtype), dtype)


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
