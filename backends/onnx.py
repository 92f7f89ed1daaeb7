"""The ONNX backend: CLIP models exported by `idia-index export`, without PyTorch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from idia_index.backends.clip_bpe import ClipTokenizer
from idia_index.backends.onnx_format import (
    IMAGE_GRAPH,
    MERGES,
    TEXT_GRAPH,
    ExportManifest,
    read_manifest,
    verify_files,
)
from idia_index.backends.onnx_graph import OnnxGraph
from idia_index.backends.onnx_io import image_ports, text_ports
from idia_index.backends.onnx_runtime import CPU, OnnxDevice, pick_device, why_not
from idia_index.encode.backend import Encoder
from idia_index.errors import IdiaIndexError, InputError
from idia_index.plugins import BACKEND_DTYPES, PackTower
from idia_index.support.concurrency import in_threads
from idia_index.support.files import local_path
from idia_index.types import Fingerprint, Float32, Pack

# A GPU needs larger packs than the manifest's pack size, which suits a CPU.
_CUDA_PACK_NODES, _CUDA_PACK_BATCH = 512, 64
_FEW_IMAGES = 32  # up to here, prepacking the weights takes longer than it saves


class OnnxBackend(Encoder):
    """A CLIP model in ONNX Runtime.

    Args:
        model: the directory of an export.
        device: "cpu", "cuda" or "cuda:1"; None: CUDA if it works, else the CPU.
        dtype: "float32", or "float16" if the export stores its weights in float16. The export
            computes in float32 either way.
        threads: threads on the CPU; None: `IDIA_INDEX_THREADS`, else one per usable core.

    Attributes:
        folder: the directory.
        manifest: its manifest.

    Raises:
        InputError: not an export, a file missing or altered, or a device that does not work.
    """

    name = "onnx"
    text_tower: OnnxPackTower

    def __init__(
        self,
        *,
        model: str,
        device: str | None = None,
        dtype: str = "float32",
        threads: int | None = None,
    ) -> None:
        self.folder = local_path(model).absolute()
        self.model = str(self.folder)
        self.manifest = read_manifest(self.folder)
        self.notes = self.manifest.notes
        _check_dtype(dtype, self.manifest.dtype, self.folder)
        self._device = pick_device(device, threads)
        self.device = str(self._device)
        self.image_workers = self._device.workers
        self.logit_scale = self.manifest.logit_scale
        verify_files(self.folder, self.manifest)
        self.text_tower = OnnxPackTower(self.folder, self.manifest, self._device)

    @classmethod
    def self_test(cls) -> str:
        """Multiplies two matrices with ONNX Runtime; returns its version and the device."""
        device = pick_device(None)
        if problem := why_not(device):
            raise IdiaIndexError(f"ONNX Runtime does not compute here: {problem}")
        return str(device)

    @property
    def fingerprint(self) -> Fingerprint:
        """The source model's fingerprint, with the export's precision."""
        return self.manifest.fingerprint

    @cached_property
    def image_graph(self) -> OnnxGraph:
        """The image tower, loaded when it is first used."""
        ports = image_ports(self.manifest.preprocessing, self.fingerprint.dim)
        return OnnxGraph(self.folder / IMAGE_GRAPH, self._device, ports)

    def expect_images(self, count: int) -> None:
        """Loads the image tower while the images are being read."""
        self.image_graph.load_ahead(prepack=count > _FEW_IMAGES)

    def fit_image(self, image: Image.Image) -> Image.Image:
        """What the model sees of an image: open_clip's resizing and cropping, bit for bit.

        Raises:
            InputError: the image cannot be resized or converted to RGB.
        """
        return self.manifest.preprocessing.fitted(image)

    def seen(self, width: int, height: int) -> tuple[float, float, float, float]:
        """The part of an image of this size that the model sees, as edges in its pixels."""
        return self.manifest.preprocessing.seen(width, height)

    def embed_images(self, images: Sequence[Image.Image]) -> Float32:
        """Image embeddings float32 [n, D], not normalised.

        Raises:
            InputError: an image cannot be resized or converted to RGB.
        """
        if not images:
            return np.empty((0, self.fingerprint.dim), np.float32)
        return self.image_graph.run({"pixels": self.manifest.preprocessing.pixels(images)})


class OnnxPackTower(PackTower):
    """The text tower of an export, loaded when it is first used.

    Args:
        folder: the directory of the export.
        manifest: its manifest.
        device: where it runs.
    """

    def __init__(self, folder: Path, manifest: ExportManifest, device: OnnxDevice) -> None:
        self._folder, self._manifest, self._device = folder, manifest, device
        self.context_length = manifest.context_length
        self.pack_nodes = manifest.pack_nodes
        self.pack_batch = manifest.pack_batch
        if device.provider != CPU:
            self.pack_nodes, self.pack_batch = _CUDA_PACK_NODES, _CUDA_PACK_BATCH

    @cached_property
    def tokenizer(self) -> ClipTokenizer:  # type: ignore[override]
        """The model's tokenizer."""
        return ClipTokenizer.load(self._folder / MERGES, self._manifest.clean)

    @cached_property
    def graph(self) -> OnnxGraph:
        """The text tower, loaded when it is first used."""
        ports = text_ports(self._manifest.fingerprint.dim)
        return OnnxGraph(self._folder / TEXT_GRAPH, self._device, ports)

    def embed_packs(self, packs: Iterable[Pack]) -> Iterator[tuple[Pack, Float32]]:
        """Each pack with its text embeddings; each core runs one pack at a time."""
        if self._device.workers < 2:
            return super().embed_packs(packs)
        return in_threads(self.embed_pack, packs, self._device.workers)

    def embed_pack(self, pack: Pack) -> Float32:
        """Text embeddings float32 [p, D] at `pack.reads`, not normalised."""
        return self.graph.run(
            {
                "ids": pack.ids,
                "positions": pack.positions,
                "mask": pack.mask,
                "reads": pack.reads,
            }
        )


def _check_dtype(dtype: str, stored: str, folder: Path) -> None:
    if dtype not in BACKEND_DTYPES:
        raise InputError(f"dtype {dtype!r} is unknown; available: {', '.join(BACKEND_DTYPES)}")
    if dtype not in ("float32", stored):
        remedy = (
            "export the model with --dtype float16"
            if dtype == "float16"
            else "omit --dtype, or use the open_clip backend"
        )
        raise InputError(f"{folder}: stores {stored}, computes float32, not {dtype}; {remedy}")


def export_fingerprint(source: Fingerprint, dtype: str) -> Fingerprint:
    """The fingerprint of a model's export: the model's, with the export's precision."""
    stored = "" if dtype == "float32" else f" ({dtype} weights)"
    return replace(source, precision=f"float32{stored}")
