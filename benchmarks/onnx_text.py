"""Prompts a second: packs in ONNX Runtime against open_clip's own encode_text, in one run.

    python benchmarks/onnx_text.py [ARCHITECTURE] > onnx_text.json

The paper's case: 21 templates and 1,000 names. Runs of both alternate, so that whatever else
the machine does falls on both; figures are medians. A sample of the packs and of the padded
batches is timed, not all of them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import onnx_common
import open_clip
import torch

from idia_index.backends.onnx import OnnxBackend
from idia_index.backends.onnx_export import export_model
from idia_index.backends.onnx_threads import usable_cores
from idia_index.backends.open_clip import OpenClipBackend
from idia_index.packing import plan_packs
from idia_index.records import Pack
from idia_index.templates import JAIR2024
from idia_index.tokens import text_tokens

# Nodes of a tree, and trees at a time for each core.
PACKS = ((64, 2), (64, 4), (96, 2), (128, 1), (128, 2), (192, 1), (256, 1))
PUBLISHED_BATCH = 64
ROUNDS = 5
NODES_A_ROUND = 6144


def sample(tokens: Any, nodes: int, batch: int) -> list[Pack]:
    """Packs from all over the plan, of about `NODES_A_ROUND` nodes."""
    packs = list(plan_packs(tokens, nodes=nodes, batch=batch))
    count = max(1, NODES_A_ROUND // (nodes * batch))
    return packs[len(packs) // (2 * count) :: len(packs) // count][:count]


def main() -> None:
    architecture = sys.argv[1] if len(sys.argv) > 1 else "ViT-B-32"
    texts = [t.fill(name) for t in JAIR2024 for name in onnx_common.paper_names(1000)]
    with onnx_common.random_checkpoint(architecture) as spec, TemporaryDirectory() as folder:
        backend = OpenClipBackend(model=spec, device="cpu")
        tower = OnnxBackend(
            model=str(export_model(backend, Path(folder) / "out").folder), device="cpu"
        ).text_tower
        tokens = text_tokens(tower.tokenizer, texts, tower.context_length)
        padded = open_clip.tokenize(texts[:: len(texts) // PUBLISHED_BATCH][:PUBLISHED_BATCH])

        @torch.inference_mode()
        def published() -> None:
            backend.clip.encode_text(padded)

        cores = usable_cores()
        plans = {(n, b): sample(tokens, n, b * cores) for n, b in PACKS}
        times: dict[Any, list[float]] = {key: [] for key in ("published", *PACKS)}
        gemm = []
        for _ in range(ROUNDS):
            gemm.append(onnx_common.gemm_gflops(repeats=2))
            times["published"].append(onnx_common.seconds(published))
            for size, packs in plans.items():
                times[size].append(
                    onnx_common.seconds(lambda packs=packs: [tower.embed_pack(p) for p in packs])
                )
    rate = PUBLISHED_BATCH / median(times["published"])
    rows = [
        {
            "pack_nodes": size[0],
            "pack_batch": size[1],
            "prompts_per_second": (speed := sum(len(p.rows) for p in packs) / median(times[size])),
            "times_published": speed / rate,
            "nodes_per_prompt": sum(p.ids.size for p in packs) / sum(len(p.rows) for p in packs),
        }
        for size, packs in plans.items()
    ]
    figures = {
        "architecture": architecture,
        "gemm_gflops": median(gemm),
        "published_prompts_per_second": rate,
        "packs": rows,
    }
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
