"""Correctness of the towers: embeddings, predictions, decisions, against the CPU's float32."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from common import Row, Scale, SkipPart, random_model
from PIL import Image

from idia_index import load_backend
from idia_index.encode import embeddings
from idia_index.encode.image_embeddings import encode_images
from idia_index.pipelines.parity import compare
from idia_index.prompts.grid import PromptGrid
from idia_index.prompts.sampling import sample_names
from idia_index.prompts.templates import JAIR2024
from idia_index.study.subjects import MODEL_DIR, ONNX_DIR, candidates, subjects, write_subjects
from idia_index.subjects.subjects import read_subjects

# The most that a number of a unit row may differ from the CPU's float32.
MOST = {"float32": 1e-5, "bfloat16": 3e-2, "float16": 5e-3}
STUDY = f"local-dir:{MODEL_DIR}"


def pictures(count: int) -> list[Image.Image]:
    """Images that differ in colour and in what varies slowly over them."""
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (count, 6, 8, 3), dtype=np.uint8)
    return [Image.fromarray(part).resize((320, 240), Image.Resampling.BICUBIC) for part in coarse]


class Outputs:
    """What a backend makes of the same prompts and images, unit rows all."""

    def __init__(self, backend: Any, names: list[str], images: list[Image.Image]) -> None:
        grid = PromptGrid(JAIR2024, names)
        self.rows = {"packs": embeddings.encode_grid(backend, grid, 0, len(names))}
        whole = backend.embed_texts([grid.text(t, 0) for t in range(len(JAIR2024))])
        self.rows["whole texts"] = embeddings.unit_rows(whole, backend, "text")
        self.rows["images"] = encode_images(backend, images)

    @property
    def predictions(self) -> Any:
        """int64 [T, M]."""
        return np.einsum("tnd,md->tmn", self.rows["packs"], self.rows["images"]).argmax(axis=2)

    def compared(self, other: Outputs, label: str, most: float) -> Iterator[Row]:
        """How far these are from what is right."""
        for name, rows in self.rows.items():
            off = float(np.abs(rows - other.rows[name]).max())
            cosine = float(np.einsum("...d,...d->...", rows, other.rows[name]).min())
            data = {"largest difference": off, "smallest cosine": cosine}
            shown = f"off by at most {off:.1e}, smallest cosine {cosine:.6f}"
            yield Row(f"{label}, {name}", shown, off <= most, data)
        differ, size = int((self.predictions != other.predictions).sum()), self.predictions.size
        holds = differ == 0 if most <= MOST["float32"] else None
        data = {"differ": differ, "compared": size}
        yield Row(f"{label}, predictions", f"{differ} of {size} differ", holds, data)


def towers(scale: Scale) -> Iterator[Row]:
    """Text packs, whole texts and images of every model in every precision."""
    device = scale.device
    names, images = sample_names(scale.pick(3, 20), 0).names(), pictures(scale.pick(2, 16))
    for architecture in (*scale.models, "the study's model"):
        if architecture.startswith("the"):
            yield from _models(STUDY, architecture, device, names, images)
        else:
            with random_model(architecture) as spec:
                yield from _models(spec, architecture, device, names, images)


def _models(
    spec: str, label: str, device: str, names: list[str], images: list[Image.Image]
) -> Iterator[Row]:
    import torch

    exact = Outputs(load_backend("open_clip", model=spec, device="cpu"), names, images)
    for dtype, most in MOST.items():
        backend = load_backend("open_clip", model=spec, device=device, dtype=dtype)
        found = Outputs(backend, names, images)
        yield from found.compared(exact, f"{label}, {dtype}", most)
        if dtype == "float32":  # a program that allows TF32 is to get the same
            torch.set_float32_matmul_precision("high")
            again = Outputs(backend, names, images)
            torch.set_float32_matmul_precision("highest")
            yield from again.compared(exact, f"{label}, float32 where TF32 is allowed", most)
        del backend


def decisions(scale: Scale) -> Iterator[Row]:
    """The controlled study, down to decisions, in every precision."""
    device = scale.device
    names = candidates()[: scale.pick(8, None)]
    exact = load_backend("open_clip", model=STUDY, device="cpu")
    with TemporaryDirectory() as folder:
        made = write_subjects(
            Path(folder) / "subjects", scale.pick(1, 5),
            processes=scale.pick(1, None), chosen=subjects()[: scale.pick(2, None)],
        )  # fmt: skip
        people = read_subjects(made)
        for dtype in scale.pick(("bfloat16",), ("float32", "bfloat16", "float16")):
            other = load_backend("open_clip", model=STUDY, device=device, dtype=dtype)
            found = compare(exact, other, names, JAIR2024[: scale.pick(2, None)], people)
            for what, count in (
                ("predictions", found.predictions),
                ("winners", found.winners),
                ("decisions", found.decisions),
            ):
                claimed = what == "decisions" or dtype == "float32"
                yield Row(
                    f"the study in {dtype}, {what}",
                    f"{count.differ} of {count.compared:,} differ",
                    count.differ == 0 if claimed else None,
                    {"differ": count.differ, "compared": count.compared},
                )


def onnx(scale: Scale) -> Iterator[Row]:
    """The study's export by ONNX Runtime's CUDA provider, against its CPU provider."""
    import onnxruntime

    providers = onnxruntime.get_available_providers()
    has_cuda = "CUDAExecutionProvider" in providers
    if not has_cuda and not scale.small:
        raise SkipPart(f"this ONNX Runtime has no CUDA provider, only {', '.join(providers)}")
    names, images = sample_names(scale.pick(3, 50), 0).names(), pictures(scale.pick(2, 16))
    found = []
    for device in ("cpu", "cuda" if has_cuda else "cpu"):
        backend = load_backend("onnx", model=str(ONNX_DIR), device=device)
        grid = PromptGrid(JAIR2024, names)
        texts = embeddings.encode_grid(backend, grid, 0, len(names))
        found.append((texts, encode_images(backend, images)))
    for what, a, b in zip(("packs", "images"), *found, strict=True):
        off = float(np.abs(a - b).max())
        yield Row(
            f"the study's export on {device}, {what}", f"off by at most {off:.1e}", off <= 1e-4,
            {"largest difference": off},
        )  # fmt: skip
