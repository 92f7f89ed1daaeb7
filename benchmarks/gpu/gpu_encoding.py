"""How fast texts and photos are encoded: every way to do it, the peer, and the card's own rate."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
import variants
from build_bound import measure_work
from common import Row, Scale, matrix_rate, random_model, seconds
from towers import pictures

from idia_index import load_backend
from idia_index.backends.torch_gpu_text import GpuTextTower
from idia_index.encode import embeddings
from idia_index.encode.image_embeddings import encode_images
from idia_index.encode.packs import plan_packs
from idia_index.encode.tokens import grid_tokens
from idia_index.prompts.grid import PromptGrid
from idia_index.prompts.sampling import sample_names
from idia_index.prompts.templates import JAIR2024
from idia_index.types import Float32

# A way is exact if its smallest cosine to float32 is no further from 1 than so many times that of
# the way that is taken.
SLACK = 2.0


def text_speed(scale: Scale) -> Iterator[Row]:
    """Prompts a second of ViT-B/32 and ViT-L/14."""
    device = scale.device
    size = scale.pick(64, 8192)
    rates = {dtype: matrix_rate(device, dtype, size) for dtype in (torch.float32, torch.bfloat16)}
    for dtype, rate in rates.items():
        yield Row(f"matrix product of {size}, {dtype}", f"{rate / 1e12:.2f} TFLOP/s")
    for architecture in scale.models[:2]:
        with random_model(architecture) as spec:
            yield from _Texts(spec, scale, rates[torch.bfloat16]).rows(architecture)


class _Texts:
    """One model's text tower and what it is given."""

    def __init__(self, spec: str, scale: Scale, rate: float) -> None:
        self._device = scale.device
        self._rate = rate
        self._backend: Any = load_backend(
            "open_clip", model=spec, device=self._device, dtype="bfloat16"
        )
        names = sample_names(scale.pick(2, 5000), 0).names()
        self._grid = PromptGrid(JAIR2024, names)
        tower = self._backend.text_tower
        tokens = grid_tokens(tower.tokenizer, self._grid, 0, len(names), tower.context_length)
        self._packs = list(plan_packs(tokens, nodes=128, batch=scale.pick(2, 128)))
        self._flop = sum(flop for *_, flop in measure_work(tower, self._grid).products())
        self._exact = self._rows(GpuTextTower(tower.module, torch.float32))
        self._times: dict[tuple[str, str, str], float] = {}  # of ways that are exact
        self._limit = 0.0

    def rows(self, label: str) -> Iterator[Row]:
        """Ours whole, ours without tokenising and planning, and open_clip's."""
        whole = seconds(
            lambda: embeddings.encode_grid(self._backend, self._grid, 0, len(self._grid.names)),
            self._device, 3,
        )  # fmt: skip
        yield self._row(f"{label}, as a build encodes, bfloat16", whole)
        peer = self._published()
        yield Row(f"{label}, open_clip.encode_text, bfloat16", f"{peer:,.0f} prompts/s",
                  None, {"prompts/s": peer})  # fmt: skip
        pure = variants.all_in(self._backend.text_tower.module, torch.bfloat16)
        towers = {"sums in float32": self._backend.text_tower.module, "sums in bfloat16": pure}
        for sums, tower in towers.items():
            for attention in variants.ATTENTION:
                yield self._tried(label, tower, (sums, attention, "eager"))
            fastest = min(self._times, key=lambda way: (way[0] != sums, self._times[way]))
            for launch in variants.LAUNCH:
                if launch != "eager":
                    yield self._tried(label, tower, (sums, fastest[1], launch))
        yield Row(
            f"{label}, the fastest that is exact",
            ", ".join(min(self._times, key=lambda way: self._times[way])),
        )

    def _tried(self, label: str, tower: Any, way: tuple[str, str, str]) -> Row:
        """One way, in packs that are planned already; the first sets how exact others must be."""
        _, attention, launch = way
        what = f"{label}, packs alone, {', '.join(way)}"
        if self._device == "cpu" and (attention == "flex attention" or launch != "eager"):
            return Row(what, "skipped: compiles for a GPU")
        try:
            made = variants.LAUNCH[launch](variants.ATTENTION[attention](tower, torch.bfloat16))
            found = self._rows(made)
            time = seconds(lambda: [0 for _ in made.embed_packs(self._packs)], self._device, 3)
        # A way that this PyTorch or card refuses is no failure of those that work.
        except Exception as error:  # noqa: BLE001
            return Row(what, f"skipped: {(str(error).splitlines() or [repr(error)])[0][:90]}")
        cosine = float(np.einsum("nd,nd->n", found, self._exact).min())
        self._limit = self._limit or SLACK * (1 - cosine) + 1e-6
        exact = 1 - cosine <= self._limit
        if exact:
            self._times[way] = time
        row = self._row(what, time)
        note = f"smallest cosine {cosine:.6f}{'' if exact else ', not exact enough'}"
        return Row(what, f"{row.value}, {note}", None, {**row.data, "smallest cosine": cosine})

    def _row(self, what: str, time: float) -> Row:
        speed, share = len(self._grid) / time, self._flop / time / self._rate
        data = {"prompts/s": speed, "share of the matrix rate": share}
        return Row(what, f"{speed:,.0f} prompts/s, {share:.0%} of the matrix rate", None, data)

    def _rows(self, tower: GpuTextTower) -> Float32:
        """Unit rows of the first packs."""
        found = np.concatenate([rows for _, rows in tower.embed_packs(self._packs[:2])])
        return embeddings.unit_rows(found.astype(np.float32), self._backend, "text")

    def _published(self) -> float:
        """Prompts/s of open_clip's own way at its best batch size, padded to the context."""
        clip = variants.all_in(self._backend.plugin.clip, torch.bfloat16)
        ids = self._backend.plugin.tokenizer([self._grid.text(t, 0) for t in range(21)])
        best = 0.0
        for batch in (32,) if self._device == "cpu" else (256, 1024, 4096):
            there = ids.repeat(batch // 21 + 1, 1)[:batch].to(self._device)
            with torch.inference_mode():
                best = max(best, batch / seconds(lambda: clip.encode_text(there), self._device, 3))  # noqa: B023
        return best


def photo_speed(scale: Scale) -> Iterator[Row]:
    """Photos a second: decoded and waiting, and the tower alone on pixels that are there."""
    device = scale.device
    images = pictures(scale.pick(4, 512))
    for architecture in scale.models:
        with random_model(architecture) as spec:
            backend: Any = load_backend("open_clip", model=spec, device=device, dtype="bfloat16")
        whole = seconds(lambda: encode_images(backend, images), device, 1)  # noqa: B023
        speed = len(images) / whole
        yield Row(f"{architecture}, prepared and encoded, bfloat16", f"{speed:,.0f} photos/s",
                  None, {"photos/s": speed})  # fmt: skip
        side = int(np.max(backend.plugin.preprocessing["size"]))
        clip = variants.all_in(backend.plugin.clip, torch.bfloat16)
        pixels = torch.randn(scale.pick(4, 256), 3, side, side, device=device).bfloat16()
        with torch.inference_mode():
            alone = len(pixels) / seconds(lambda: clip.encode_image(pixels), device)  # noqa: B023
        yield Row(f"{architecture}, the tower alone, all in bfloat16", f"{alone:,.0f} photos/s",
                  None, {"photos/s": alone})  # fmt: skip
