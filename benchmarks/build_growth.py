"""Whether a hundred times as many names cost more a prompt, and what memory a build takes.

    python benchmarks/build_growth.py time [--names 100000] [--rounds 3] [--json FILE]
    python benchmarks/build_growth.py memory [--names 100000] [--layers 12] [--json FILE]

`time` encodes 1,000 names, and whole shards from all over a sample of --names, in turn, as a
build encodes them. `memory` builds a whole index in this process and reports the largest resident
size beside what the model took; a tower of fewer layers takes as much memory at work, layer for
layer, and far less time. Names are drawn by frequency, weights are random.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import statistics
import tempfile
from pathlib import Path
from typing import Any

import open_clip
import torch
from build_bound import seconds
from onnx_common import paper_names

from idia_index import build_index, load_backend
from idia_index.encode import embeddings
from idia_index.encode.backend import Backend
from idia_index.encode.packs import plan_packs
from idia_index.encode.tokens import grid_tokens
from idia_index.pipelines.build import SHARD_BYTES
from idia_index.prompts.grid import PromptGrid
from idia_index.prompts.templates import JAIR2024

SHARDS = 3
DIM = 512


def checkpoint(folder: Path, layers: int) -> str:
    """SPEC of a ViT-B-32 with random weights whose text tower has so many layers."""
    logging.disable(logging.WARNING)
    config = open_clip.get_model_config("ViT-B-32")
    config["text_cfg"]["layers"] = layers
    name = f"ViT-B-32-{layers}"
    (folder / f"{name}.json").write_text(json.dumps(config))
    open_clip.add_model_config(folder / f"{name}.json")
    torch.manual_seed(0)
    torch.save(open_clip.create_model(name).state_dict(), folder / "random.pt")
    return f"{name}/{folder / 'random.pt'}"


def memory_mb(field: str) -> float:
    """A field of this process's memory: VmRSS, what is resident now, or VmHWM, the most so far."""
    lines = Path("/proc/self/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return int(fields[field].split()[0]) / 1024


def nodes_per_prompt(backend: Backend, grid: PromptGrid, run: slice) -> float:
    tower = backend.text_tower
    assert tower is not None
    tokens = grid_tokens(tower.tokenizer, grid, run.start, run.stop, tower.context_length)
    packs = plan_packs(tokens, nodes=tower.pack_nodes, batch=tower.pack_batch)
    return sum(pack.ids.size for pack in packs) / len(tokens)


def measure_time(backend: Backend, names: int, rounds: int) -> dict[str, Any]:
    """Seconds a prompt for 1,000 names, and for shards of many, in turn."""
    many = PromptGrid(JAIR2024, paper_names(names))
    few = PromptGrid(JAIR2024, many.names[:1000])
    size = SHARD_BYTES // (len(JAIR2024) * DIM * 4)
    starts = [(names // SHARDS * i + names // (2 * SHARDS)) // size * size for i in range(SHARDS)]
    runs = [slice(start, min(start + size, names)) for start in starts]
    embeddings.encode_grid(backend, few, 0, 100)  # warm
    small, large = [], []
    for _ in range(rounds):
        taken = seconds(lambda: embeddings.encode_grid(backend, few, 0, len(few.names)))
        small.append(taken / len(few))
        taken = seconds(
            lambda: [embeddings.encode_grid(backend, many, r.start, r.stop) for r in runs]
        )
        large.append(taken / (len(JAIR2024) * sum(r.stop - r.start for r in runs)))
    return {
        "names": names,
        "shards encoded": [[r.start, r.stop] for r in runs],
        "ms a prompt, 1,000 names": [1000 * value for value in small],
        "ms a prompt, shards": [1000 * value for value in large],
        "shards to 1,000 names": statistics.median(
            b / a for a, b in zip(small, large, strict=True)
        ),
        "nodes a prompt, 1,000 names": nodes_per_prompt(backend, few, slice(0, 1000)),
        "nodes a prompt, shards": statistics.mean(nodes_per_prompt(backend, many, r) for r in runs),
    }


def measure_memory(backend: Backend, names: int, layers: int, folder: Path) -> dict[str, Any]:
    """Largest resident memory while an index is built, and what was resident before."""
    embeddings.encode_grid(backend, PromptGrid(JAIR2024, paper_names(1)), 0, 1)
    gc.collect()
    before = memory_mb("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the most so far begins again from here
    taken = seconds(lambda: build_index(folder / "index", backend, paper_names(names)))
    size = sum(file.stat().st_size for file in (folder / "index").iterdir())
    peak = memory_mb("VmHWM")
    return {
        "names": names,
        "prompts": names * len(JAIR2024),
        "layers of the text tower": layers,
        "s": taken,
        "index MB": size / 2**20,
        "resident MB, model loaded": before,
        "resident MB, largest": peak,
        "beside the model MB": peak - before,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["time", "memory"])
    parser.add_argument("--names", type=int, default=100_000)
    parser.add_argument("--layers", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        spec = checkpoint(Path(temporary), arguments.layers)
        backend = load_backend("open_clip", model=spec, device="cpu")
        if arguments.what == "time":
            result = measure_time(backend, arguments.names, arguments.rounds)
        else:
            result = measure_memory(backend, arguments.names, arguments.layers, Path(temporary))
    print(json.dumps(result, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
