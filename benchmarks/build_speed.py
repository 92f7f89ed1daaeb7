"""How fast prompts are encoded, against open_clip as published, in one run.

    python benchmarks/build_speed.py [--threads N] [--rounds 3] [--no-onnx] [--json FILE]

Peers: `open_clip.encode_text` on 77 tokens in float32, at its best batch size; and the same on
prompts sorted by length and cut to it. Ours: packs by PyTorch in float32 and bfloat16, and by
ONNX Runtime in float32, tokenising and planning included, as a build runs them. Names: two sorts
of about 1,000 (see `build_names`). Every round runs all of them in turn, and medians over the
rounds are compared, because machines are noisy. Weights are random: speed does not depend on
them. The floating-point bound (see `build_bound`) is measured in every round as well.

With --threads 1 the process's own time is measured, for machines that others use: threads that
share a product wait for whichever is held up, which is worst for the published way.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from build_bound import bound_seconds, measure_work, product_rates, seconds
from build_names import cross_names, notebook_names
from onnx_common import random_checkpoint

from idia_index import load_backend
from idia_index.backends.onnx_export import export_model
from idia_index.encode import embeddings
from idia_index.encode.backend import Backend
from idia_index.encode.packs import plan_packs
from idia_index.encode.tokens import grid_tokens
from idia_index.prompts.grid import PromptGrid
from idia_index.prompts.templates import JAIR2024

PUBLISHED_BATCHES = (32, 64, 128, 256, 512)
SAMPLE = 512  # prompts that the slow peers encode: their rate does not depend on the number
DTYPES = {"torch float32": torch.float32, "torch bfloat16": torch.bfloat16}


def published(clip: Any, tokens: torch.Tensor, batch: int) -> float:
    """Prompts/s of encode_text on padded tokens."""
    with torch.inference_mode():
        clip.encode_text(tokens[:32])
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

    return len(tokens) / seconds(run)


def ours(backend: Backend, grid: PromptGrid) -> float:
    """Prompts/s through packs, tokenising and planning included."""
    return len(grid) / seconds(lambda: embeddings.encode_grid(backend, grid, 0, len(grid.names)))


def tokenising_and_planning(backend: Backend, grid: PromptGrid) -> tuple[float, float]:
    """Seconds of each alone."""
    tower = backend.text_tower
    assert tower is not None
    made: list[Any] = []
    tokenising = seconds(
        lambda: made.append(
            grid_tokens(tower.tokenizer, grid, 0, len(grid.names), tower.context_length)
        )
    )
    plan = plan_packs(made[0], nodes=tower.pack_nodes, batch=tower.pack_batch)
    return tokenising, seconds(lambda: [None for _ in plan])


def nodes_per_prompt(backend: Backend, grid: PromptGrid) -> float:
    """Rows that the linear layers compute, padding counted, per prompt."""
    tower = backend.text_tower
    assert tower is not None
    tokens = grid_tokens(tower.tokenizer, grid, 0, len(grid.names), tower.context_length)
    packs = plan_packs(tokens, nodes=tower.pack_nodes, batch=tower.pack_batch)
    return sum(pack.ids.size for pack in packs) / len(tokens)


def cosine_to(backend: Backend, other: Backend, grid: PromptGrid) -> float:
    """Smallest cosine between two backends' embeddings of a grid's first names."""
    a, b = (embeddings.encode_grid(each, grid, 0, 50) for each in (backend, other))
    return float(np.einsum("tnd,tnd->tn", a, b).min())


class Case:
    """One set of names and what was measured on it, a list entry a round."""

    def __init__(self, names: list[str], backends: dict[str, Backend]) -> None:
        self.grid = PromptGrid(JAIR2024, names)
        self.backends = backends
        self.work = measure_work(backends["torch float32"].text_tower, self.grid)
        self.rates: dict[str, list[float]] = {name: [] for name in backends}
        self.shares: dict[str, list[float]] = {name: [] for name in DTYPES}
        self.plans: list[tuple[float, float]] = []

    def round(self) -> None:
        for name, backend in self.backends.items():
            self.rates[name].append(ours(backend, self.grid))
            if name in DTYPES:
                taken = len(self.grid) / self.rates[name][-1]
                self.shares[name].append(bound_seconds(self.work, DTYPES[name]) / taken)
        self.plans.append(tokenising_and_planning(self.backends["torch float32"], self.grid))

    def result(self, peer: list[float]) -> dict[str, Any]:
        tokenising, planning = (statistics.median(times) for times in zip(*self.plans, strict=True))
        taken = len(self.grid) / statistics.median(self.rates["torch float32"])
        return {
            "names": len(self.grid.names),
            "prompts": len(self.grid),
            "prompts/s": medians(self.rates),
            "prompts/s by round": self.rates,
            "ratio to published": {
                name: statistics.median(a / b for a, b in zip(found, peer, strict=True))
                for name, found in self.rates.items()
            },
            "share of floating-point bound": medians(self.shares),
            "nodes per prompt": {
                name: nodes_per_prompt(backend, self.grid)
                for name, backend in self.backends.items()
            },
            "tokenising s": tokenising,
            "planning s": planning,
            "tokenising and planning, share of float32": (tokenising + planning) / taken,
        }


def medians(found: dict[str, list[float]]) -> dict[str, float]:
    return {name: statistics.median(values) for name, values in found.items()}


def sample_tokens(model: str, names: list[str]) -> torch.Tensor:
    """Padded tokens of prompts drawn from all templates and names."""
    random = np.random.default_rng(0)
    grid = PromptGrid(JAIR2024, names)
    pairs = zip(random.integers(0, 21, SAMPLE), random.integers(0, len(names), SAMPLE), strict=True)
    tokens: torch.Tensor = open_clip.get_tokenizer(model)([grid.text(t, n) for t, n in pairs])
    return tokens


def processor() -> str:
    """The processor's name and the instructions that decide here."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor()
    fields = dict(
        (part.strip() for part in line.split(":", 1))
        for line in info.read_text().splitlines()
        if ":" in line
    )
    names = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
    flags = [name for name in names if name in fields.get("flags", "").split()]
    return f"{fields.get('model name', '')} (family {fields.get('cpu family')}): {' '.join(flags)}"


def measure(arguments: Any, spec: str, onnx_dir: Path) -> dict[str, Any]:
    torch32 = load_backend("open_clip", model=spec, device="cpu")
    backends = {
        "torch float32": torch32,
        "torch bfloat16": load_backend("open_clip", model=spec, device="cpu", dtype="bfloat16"),
    }
    if arguments.onnx:
        export_model(torch32, onnx_dir)  # type: ignore[arg-type]
        backends["onnx float32"] = load_backend("onnx", model=str(onnx_dir))
    cases = {
        "notebook": Case(notebook_names(), backends),
        "cross product": Case(cross_names(), backends),
    }
    clip = torch32.clip  # type: ignore[attr-defined]
    tokens = sample_tokens(arguments.model, notebook_names())
    by_batch = {batch: published(clip, tokens, batch) for batch in PUBLISHED_BATCHES}
    best = max(by_batch, key=lambda batch: by_batch[batch])
    for backend in backends.values():
        embeddings.encode_grid(backend, cases["notebook"].grid, 0, 100)  # warm
    peers: dict[str, list[float]] = {"published": [], "sorted and cut": []}
    for _ in range(arguments.rounds):
        peers["published"].append(published(clip, tokens, best))
        peers["sorted and cut"].append(sorted_and_cut(clip, tokens))
        for case in cases.values():
            case.round()
    return {
        "model": arguments.model,
        "processor": processor(),
        "threads": torch.get_num_threads(),
        "clock": "process" if torch.get_num_threads() == 1 else "wall",
        "torch": torch.__version__,
        "published batch": best,
        "published prompts/s by batch": by_batch,
        "peers, prompts/s": medians(peers),
        "peers, prompts/s by round": peers,
        "names": {name: case.result(peers["published"]) for name, case in cases.items()},
        "GFLOP/s": {
            f"{name} {m}x{n}x{k}": {
                way: rate / 1e9 for way, rate in product_rates((m, n, k), dtype).items()
            }
            for name, dtype in DTYPES.items()
            for m, n, k, _ in cases["notebook"].work.products()
        },
        "bfloat16 smallest cosine": cosine_to(
            backends["torch bfloat16"], torch32, cases["notebook"].grid
        ),
        "peak memory MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="ViT-B-32")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-onnx", dest="onnx", action="store_false")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with random_checkpoint(arguments.model) as spec, tempfile.TemporaryDirectory() as folder:
        result = measure(arguments, spec, Path(folder) / "onnx")
    print(json.dumps(result, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
