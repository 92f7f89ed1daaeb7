"""The ONNX backend: CLIP models exported by `idia-index export`, without PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image

from idia_index.backends.clip_bpe import ClipTokenizer
from idia_index.backends.onnx_external import check_external_data
from idia_index.backends.onnx_format import (
    DATA_SUFFIX,
    IMAGE_GRAPH,
    MERGES,
    TEXT_GRAPH,
    ExportManifest,
    read_manifest,
    verify_files,
)
from idia_index.backends.onnx_io import GraphPorts, check_ports, image_ports, text_ports
from idia_index.backends.onnx_runtime import (
    CPU,
    OnnxDevice,
    open_session,
    pick_device,
    run_session,
    why_not,
)
from idia_index.errors import IdiaIndexError, InputError
from idia_index.protocols import BACKEND_DTYPES, Backend, PackTower
from idia_index.records import Fingerprint, Float32, Pack

# A GPU wants more work at a time than the pack size of the manifest, which is a CPU's.
_CUDA_PACK_NODES, _CUDA_PACK_BATCH = 512, 64
_IMAGES_AT_A_TIME = 16  # more only take memory


class OnnxBackend(Backend):
    """A CLIP model in ONNX Runtime.

    Args:
        model: the directory of an export.
        device: "cpu", "cuda" or "cuda:1"; None takes CUDA where it works, else the CPU.
        dtype: "float32"; "float16" too where the export stores its weights in float16.
            Either way the export computes in float32.
        threads: threads on the CPU; None takes one for each core that the process may use.

    Attributes:
        folder: the directory.
        manifest: what it holds.

    Raises:
        InputError: no export, a file of it is missing or altered, or the device does not work.
    """

    name: ClassVar[str] = "onnx"
    text_tower: OnnxPackTower

    def __init__(
        self,
        *,
        model: str,
        device: str | None = None,
        dtype: str = "float32",
        threads: int | None = None,
    ) -> None:
        self.folder = Path(model).expanduser().absolute()
        self.model = str(self.folder)
        self.manifest = read_manifest(self.folder)
        _check_dtype(dtype, self.manifest.dtype, self.folder)
        self._device = pick_device(device, threads)
        self.device = str(self._device)
        verify_files(self.folder, self.manifest)
        self.text_tower = OnnxPackTower(self.folder, self.manifest, self._device)

    @classmethod
    def self_test(cls) -> str:
        """Multiplies two matrices with ONNX Runtime, and says what ran it."""
        device = pick_device(None)
        if problem := why_not(device):
            raise IdiaIndexError(f"ONNX Runtime does not compute here: {problem}")
        return str(device)

    @property
    def fingerprint(self) -> Fingerprint:
        """What the model is: the source model's fingerprint, with the export's precision."""
        return self.manifest.fingerprint

    @cached_property
    def _session(self) -> Any:
        ports = image_ports(self.manifest.preprocessing, self.fingerprint.dim)
        return _open(self.folder / IMAGE_GRAPH, self._device, ports, fixed_shapes=True)

    def embed_images(self, images: Sequence[Image.Image]) -> Float32:
        """Image embeddings float32 [n, D], not normalised.

        Raises:
            InputError: an image cannot be resized or converted to RGB.
        """
        out = np.empty((len(images), self.fingerprint.dim), np.float32)
        if not images:
            return out
        with ThreadPoolExecutor(self._device.threads) as executor:
            pixels = self.manifest.preprocessing.pixels(images, executor)
        for start in range(0, len(pixels), _IMAGES_AT_A_TIME):
            part = slice(start, start + _IMAGES_AT_A_TIME)
            feeds = {"pixels": pixels[part]}
            out[part] = run_session(self._session, self.folder / IMAGE_GRAPH, feeds)
        return out


class OnnxPackTower(PackTower):
    """The text tower of an export, loaded when it is first used.

    Args:
        folder: the directory of the export.
        manifest: what it holds.
        device: where it runs.
    """

    def __init__(self, folder: Path, manifest: ExportManifest, device: OnnxDevice) -> None:
        self._folder, self._manifest, self._device = folder, manifest, device
        self.context_length = manifest.context_length
        self.pack_nodes, self.pack_batch = manifest.pack_nodes, manifest.pack_batch
        if device.provider != CPU:
            self.pack_nodes, self.pack_batch = _CUDA_PACK_NODES, _CUDA_PACK_BATCH

    @cached_property
    def tokenizer(self) -> ClipTokenizer:  # type: ignore[override]
        """The model's tokenizer."""
        return ClipTokenizer.load(self._folder / MERGES, self._manifest.clean)

    @cached_property
    def _session(self) -> Any:
        ports = text_ports(self._manifest.fingerprint.dim)
        return _open(self._folder / TEXT_GRAPH, self._device, ports, fixed_shapes=False)

    def embed_pack(self, pack: Pack) -> Float32:
        """Text embeddings float32 [p, D] at `pack.reads`, not normalised."""
        feeds = {
            "ids": pack.ids,
            "positions": pack.positions,
            "mask": pack.mask,
            "reads": pack.reads,
        }
        rows: Float32 = run_session(self._session, self._folder / TEXT_GRAPH, feeds)
        return rows


def _check_dtype(dtype: str, stored: str, folder: Path) -> None:
    if dtype not in BACKEND_DTYPES:
        raise InputError(f"dtype {dtype!r} is unknown; there are: {', '.join(BACKEND_DTYPES)}")
    if dtype not in ("float32", stored):
        mend = (
            "export the model with --dtype float16"
            if dtype == "float16"
            else "leave --dtype out, or use the open_clip backend"
        )
        raise InputError(f"{folder}: stores {stored} and computes float32, no {dtype}; {mend}")


def _open(path: Path, device: OnnxDevice, ports: GraphPorts, *, fixed_shapes: bool) -> Any:
    check_external_data(path, {path.name + DATA_SUFFIX})
    session = open_session(path, device, fixed_shapes=fixed_shapes)
    check_ports(session, ports, path)
    return session


def export_fingerprint(source: Fingerprint, dtype: str) -> Fingerprint:
    """The fingerprint of a model's export: the same model, and how the export computes."""
    stored = "" if dtype == "float32" else f" ({dtype} weights)"
    return replace(source, precision=f"float32{stored}")
