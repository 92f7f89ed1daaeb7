"""Prompts a second: packs in ONNX Runtime against open_clip's own encode_text, in one run.

    python benchmarks/onnx_text.py [--model ViT-B-32] [--names 1000] [--rounds 5] > onnx_text.json

The paper's case: 21 templates and 1,000 names, once drawn by frequency and once the most common
first names with the most common last names, of which a prompt costs fewer nodes. Ours is all of
a build but the writing: tokenising, planning, packs, unit rows. The published way, 77 tokens in
float32, runs at its best batch on a sample of prompts. Rounds alternate between the two, so that
whatever else the machine does falls on both; figures are medians.

The floating-point bound is the time that the matrix products of all nodes would take at the rate
at which ONNX Runtime multiplies their shapes here, measured in every round.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import onnx_common
import open_clip
import torch

from idia_index.backends.onnx import OnnxBackend
from idia_index.backends.onnx_export import export_model
from idia_index.backends.onnx_runtime import usable_cores
from idia_index.backends.open_clip import OpenClipBackend
from idia_index.encode import embeddings
from idia_index.encode.packs import plan_packs
from idia_index.encode.tokens import grid_tokens
from idia_index.prompts.grid import PromptGrid
from idia_index.prompts.templates import JAIR2024
from idia_index.types import Pack

# Nodes of a tree, and trees of a pack; a sample of the packs of each is timed.
PACKS = ((64, 4), (96, 4), (128, 1), (128, 2), (128, 4), (192, 2), (256, 1))
NODES_A_ROUND = 3072
PUBLISHED_BATCHES = (32, 64, 128, 256, 512)
SAMPLE = 256  # prompts that the published way encodes: its rate does not depend on the number
# Of a layer: products of width -> width * first of width * second rows, in this number.
PRODUCTS = ((1, 1, 4), (4, 1, 1), (1, 4, 1))


class Case:
    """A set of names, its packs by size, and what was measured."""

    def __init__(self, backend: OnnxBackend, names: list[str]) -> None:
        self.grid = PromptGrid(JAIR2024, names)
        tower = backend.text_tower
        self.tokens = grid_tokens(tower.tokenizer, self.grid, 0, len(names), tower.context_length)
        self.rates: list[float] = []
        self.sampled = {size: self._sample(*size) for size in PACKS}
        self.times: dict[Any, list[float]] = {size: [] for size in PACKS}

    def _sample(self, nodes: int, batch: int) -> list[Pack]:
        """Packs from all over the plan, of about `NODES_A_ROUND` nodes."""
        packs = list(plan_packs(self.tokens, nodes=nodes, batch=batch))
        count = max(1, NODES_A_ROUND // (nodes * batch))
        return packs[len(packs) // (2 * count) :: max(1, len(packs) // count)][:count]

    def measure(self, backend: OnnxBackend) -> None:
        taken = onnx_common.seconds(
            lambda: embeddings.encode_grid(backend, self.grid, 0, len(self.grid.names))
        )
        self.rates.append(len(self.grid) / taken)
        embed = backend.text_tower.embed_packs
        for size, packs in self.sampled.items():
            self.times[size].append(onnx_common.seconds(lambda p=packs: list(embed(p))))

    def report(self, tower: Any, text: Any, published: list[float], rate: float) -> Any:
        """Figures; `text` is open_clip's transformer, `rate` of the products in GFLOP/s."""
        packs = list(plan_packs(self.tokens, nodes=tower.pack_nodes, batch=tower.pack_batch))
        nodes = sum(int((pack.positions > 0).sum()) + len(pack.ids) for pack in packs)
        # Twelve squares a layer; in the last one, what follows attention is of prompts alone.
        squares = nodes * (12 * text.layers - 9) + 9 * len(self.tokens)
        attention = 2 * nodes * tower.pack_nodes * text.width * text.layers
        bound = len(self.tokens) * rate * 1e9 / (2 * (squares * text.width**2 + attention))
        return {
            "names": len(self.grid.names),
            "nodes_per_prompt": nodes / len(self.tokens),
            "prompts_per_second": median(self.rates),
            "prompts_per_second_by_round": self.rates,
            "times_published": median(a / b for a, b in zip(self.rates, published, strict=True)),
            "bound_prompts_per_second": bound,
            "share_of_bound": median(self.rates) / bound,
            "packs": {
                f"{size[0]} x {size[1]}": sum(len(p.rows) for p in self.sampled[size])
                / median(times)
                for size, times in self.times.items()
            },
        }


def layer_gflops(width: int, rows: int, cores: int) -> float:
    """Rate of ONNX Runtime at the products of a layer, in GFLOP/s."""
    work = taken = 0.0
    for wide, deep, count in PRODUCTS:
        flop = count * wide * deep
        work += flop
        taken += flop / onnx_common.ort_gflops(rows, wide * width, deep * width, cores, 20)
    return work / taken


@torch.inference_mode()
def published_rate(clip: Any, tokens: torch.Tensor, batch: int) -> float:
    """Prompts/s of open_clip's encode_text on padded tokens."""
    parts = tokens.split(batch)
    return len(tokens) / onnx_common.seconds(lambda: [clip.encode_text(part) for part in parts])


def measure(source: OpenClipBackend, backend: OnnxBackend, names: int, rounds: int) -> Any:
    cases = {
        "drawn by frequency": Case(backend, onnx_common.paper_names(names)),
        "most common": Case(backend, onnx_common.cross_names(names)),
    }
    grid, tower = cases["drawn by frequency"].grid, backend.text_tower
    tokens = open_clip.tokenize(
        [grid.text(i % 21, i * 97 % names) for i in range(max(PUBLISHED_BATCHES))]
    )
    published_rate(source.clip, tokens[:64], 64)  # warm
    batch = max(
        PUBLISHED_BATCHES, key=lambda size: published_rate(source.clip, tokens[:size], size)
    )
    text: Any = source.clip.transformer
    published, gemm, products = [], [], []
    for case in cases.values():
        embeddings.encode_grid(backend, case.grid, 0, 16)  # warm
    for _ in range(rounds):
        gemm.append(onnx_common.gemm_gflops(repeats=3))
        products.append(layer_gflops(text.width, tower.pack_nodes * 2, usable_cores()))
        published.append(published_rate(source.clip, tokens[: max(SAMPLE, batch)], batch))
        for case in cases.values():
            case.measure(backend)
    return {
        "gemm_gflops": median(gemm),
        "onnxruntime_gflops_at_the_shapes": median(products),
        "published_batch": batch,
        "published_prompts_per_second": median(published),
        "cases": {
            name: case.report(tower, text, published, median(products))
            for name, case in cases.items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="ViT-B-32")
    parser.add_argument("--names", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with onnx_common.random_checkpoint(arguments.model) as spec, TemporaryDirectory() as folder:
        source = OpenClipBackend(model=spec, device="cpu")
        out = export_model(source, Path(folder) / "out").folder
        backend = OnnxBackend(model=str(out), device="cpu")
        figures = measure(source, backend, arguments.names, arguments.rounds)
    print(json.dumps({"architecture": arguments.model, **figures}, indent=1))


if __name__ == "__main__":
    main()
