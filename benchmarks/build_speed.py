"""How fast prompts are encoded, against open_clip as published, in one run.

    python benchmarks/build_speed.py [--model ViT-B-32] [--names 1000] [--rounds 3] [--json FILE]

Peers: `open_clip.encode_text` on 77 tokens in float32, at its best batch size; and the same on
prompts sorted by length and cut to it. Ours: packs by PyTorch in float32 and bfloat16, and by
ONNX Runtime in float32. Every round runs all of them in turn, and medians over the rounds are
compared, because machines are noisy. Weights are random: speed does not depend on them.

The floating-point bound is the time that the matrix products of all nodes would take at the rate
measured here for their shapes, warmed up and with reused output.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from onnx_common import paper_names, random_checkpoint

from idia_index import embeddings, load_backend
from idia_index.backends.onnx_export import export_model
from idia_index.packing import cut_runs, plan_packs, sort_prompts
from idia_index.prompts import PromptGrid
from idia_index.protocols import Backend
from idia_index.templates import JAIR2024
from idia_index.tokens import grid_tokens

PUBLISHED_BATCHES = (32, 64, 128, 256, 512)
SAMPLE = 512  # prompts that the slow peers encode: their rate does not depend on the number


def seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def gemm_rate(m: int, n: int, k: int, dtype: torch.dtype) -> float:
    """FLOP/s of [m, k] x [k, n], the median of repeated products into the same output."""
    a, b = torch.randn(m, k).to(dtype), torch.randn(n, k).to(dtype)
    out = torch.empty(m, n, dtype=dtype)
    for _ in range(5):
        torch.mm(a, b.T, out=out)
    times = [seconds(lambda: torch.mm(a, b.T, out=out)) for _ in range(40)]
    return 2 * m * n * k / statistics.median(times)


def bound_seconds(tower: Any, grid: PromptGrid, runs: list[slice], dtype: torch.dtype) -> float:
    """Time of all matrix products of a tower's packs at the rates of their shapes."""
    width = tower.module.positional_embedding.shape[1]
    layers = len(tower.module.blocks)
    nodes, trees, reads = 0, 0, 0
    for run in runs:
        tokens = grid_tokens(tower.tokenizer, grid, run.start, run.stop, tower.context_length)
        prompts = sort_prompts(tokens)
        for start, stop in cut_runs(prompts, tower.pack_nodes):
            own = prompts.lengths[start:stop] - prompts.shared[start:stop]
            nodes += int(own.sum() + prompts.shared[start])
            trees += 1
        reads += len(tokens)
    rows = max(1, nodes // trees * tower.pack_batch)
    read_rows = max(1, reads // trees * tower.pack_batch)
    shapes = {"qkv": (3, 1), "out": (1, 1), "up": (4, 1), "down": (1, 4)}
    total = 0.0
    for name, (wide, deep) in shapes.items():
        for m, count, times in ((rows, nodes, layers - 1), (read_rows, reads, 1)):
            # The last layer's queries, keys and values are of all nodes.
            m, count = (rows, nodes) if name == "qkv" else (m, count)
            n, k = wide * width, deep * width
            total += times * 2 * count * n * k / gemm_rate(m, n, k, dtype)
    # Attention: two products of [nodes of a tree, nodes of a tree, width] for every layer.
    return total + layers * 4 * nodes * (nodes / trees) * width / gemm_rate(rows, rows, 64, dtype)


def published(clip: Any, tokens: torch.Tensor, batch: int) -> float:
    """Prompts/s of encode_text on padded tokens."""
    with torch.inference_mode():
        clip.encode_text(tokens[:batch])
        taken = seconds(
            lambda: [clip.encode_text(tokens[i : i + batch]) for i in range(0, len(tokens), batch)]
        )
    return len(tokens) / taken


def sorted_and_cut(clip: Any, tokens: torch.Tensor, batch: int = 128) -> float:
    """Prompts/s of encode_text's layers on prompts sorted by length and cut to the longest."""
    lengths = tokens.argmax(dim=1) + 1
    order = lengths.argsort()

    def run() -> None:
        with torch.inference_mode():
            for i in range(0, len(tokens), batch):
                rows = order[i : i + batch]
                length = int(lengths[rows].max())
                ids = tokens[rows, :length]
                x = clip.token_embedding(ids) + clip.positional_embedding[:length]
                x = clip.transformer(x, attn_mask=clip.attn_mask[:length, :length])
                x = clip.ln_final(x)
                x[torch.arange(len(ids)), ids.argmax(dim=1)] @ clip.text_projection

    run()
    return len(tokens) / seconds(run)


def ours(backend: Backend, grid: PromptGrid, runs: list[slice]) -> float:
    """Prompts/s through packs, tokenising and planning included."""
    taken = seconds(
        lambda: [embeddings.encode_grid(backend, grid, run.start, run.stop) for run in runs]
    )
    return sum(run.stop - run.start for run in runs) * len(grid.templates) / taken


def planning_seconds(backend: Backend, grid: PromptGrid, runs: list[slice]) -> float:
    """Time of tokenising and planning alone."""
    tower = backend.text_tower
    assert tower is not None

    def plan() -> None:
        for run in runs:
            tokens = grid_tokens(tower.tokenizer, grid, run.start, run.stop, tower.context_length)
            for _ in plan_packs(tokens, nodes=tower.pack_nodes, batch=tower.pack_batch):
                pass

    return seconds(plan)


def nodes_per_prompt(backend: Backend, grid: PromptGrid, run: slice) -> float:
    tower = backend.text_tower
    assert tower is not None
    tokens = grid_tokens(tower.tokenizer, grid, run.start, run.stop, tower.context_length)
    packs = plan_packs(tokens, nodes=tower.pack_nodes, batch=tower.pack_batch)
    return sum(int((pack.positions > 0).sum()) + len(pack.ids) for pack in packs) / len(tokens)


def cosine_to(backend: Backend, exact: np.ndarray, grid: PromptGrid, run: slice) -> float:
    rows = embeddings.encode_grid(backend, grid, run.start, run.stop)
    return float(np.einsum("tnd,tnd->tn", rows, exact).min())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="ViT-B-32")
    parser.add_argument("--names", type=int, default=1000)
    parser.add_argument("--sample", type=int, default=1560, help="names encoded, of more")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with random_checkpoint(arguments.model) as spec, tempfile.TemporaryDirectory() as folder:
        result = measure(arguments, spec, Path(folder) / "onnx")
    print(json.dumps(result, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


def measure(arguments: Any, spec: str, onnx_dir: Path) -> dict[str, Any]:
    names = paper_names(arguments.names)
    grid = PromptGrid(JAIR2024, names)
    runs = [slice(0, min(arguments.sample, arguments.names))]
    torch32 = load_backend("open_clip", model=spec, device="cpu")
    export_model(torch32, onnx_dir)  # type: ignore[arg-type]
    backends = {
        "torch float32": torch32,
        "torch bfloat16": load_backend("open_clip", model=spec, device="cpu", dtype="bfloat16"),
        "onnx float32": load_backend("onnx", model=str(onnx_dir)),
    }
    clip = torch32.clip  # type: ignore[attr-defined]
    random = np.random.default_rng(0)
    sample = [
        grid.text(int(t), int(n))
        for t, n in zip(
            random.integers(0, 21, SAMPLE), random.integers(0, len(names), SAMPLE), strict=True
        )
    ]
    tokens = open_clip.get_tokenizer(arguments.model)(sample)
    best = max(PUBLISHED_BATCHES, key=lambda batch: published(clip, tokens[:512], batch))
    rates: dict[str, list[float]] = {"published": [], "sorted and cut": []}
    for name, backend in backends.items():
        rates[name] = []
        embeddings.encode_grid(backend, grid, 0, 16)  # warm
    for _ in range(arguments.rounds):
        rates["published"].append(published(clip, tokens, best))
        rates["sorted and cut"].append(sorted_and_cut(clip, tokens))
        for name, backend in backends.items():
            rates[name].append(ours(backend, grid, runs))
    medians = {name: statistics.median(found) for name, found in rates.items()}
    exact = embeddings.encode_grid(torch32, grid, 0, 50)
    tower = torch32.text_tower
    encoded = len(grid.templates) * (runs[0].stop - runs[0].start)
    bounds = {
        f"torch {str(dtype).removeprefix('torch.')}": bound_seconds(tower, grid, runs, dtype)
        for dtype in (torch.float32, torch.bfloat16)
    }
    return {
        "model": arguments.model,
        "templates": len(grid.templates),
        "names": arguments.names,
        "names encoded": runs[0].stop,
        "threads": torch.get_num_threads(),
        "published batch": best,
        "prompts/s": medians,
        "prompts/s by round": rates,
        "ratio to published": {
            name: statistics.median(
                mine / peer for mine, peer in zip(found, rates["published"], strict=True)
            )
            for name, found in rates.items()
        },
        "share of floating-point bound": {
            name: bound * medians[name] / encoded for name, bound in bounds.items()
        },
        "nodes per prompt": {
            name: nodes_per_prompt(backend, grid, runs[0]) for name, backend in backends.items()
        },
        "GEMM GFLOP/s": {
            f"{name} {rows}x2048x512": gemm_rate(rows, 2048, 512, dtype) / 1e9
            for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16))
            for rows in (256, 1024)
        },
        "planning share of float32": planning_seconds(torch32, grid, runs)
        / (encoded / medians["torch float32"]),
        "bfloat16 smallest cosine": cosine_to(
            backends["torch bfloat16"], exact, grid, slice(0, 50)
        ),
        "peak memory MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


if __name__ == "__main__":
    main()
