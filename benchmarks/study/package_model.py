"""Put a trained model and its figures into the package, with their provenance.

python benchmarks/study/package_model.py --seed 1 --run runs/1 --figures report.json
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import platform
import shutil
import zlib
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import PIL
import torch
from study_data import render_items
from study_export import WEIGHTS
from study_plan import training_items
from study_population import build_population
from study_recipe import Recipe

from idia_index.study import MODEL_DIR

README = """# The controlled study's CLIP

A small CLIP (ViT, patch 16, width 128, 4 layers; causal text tower, width 128, 2 layers, context
24; embedding 64; exact GELU, not QuickGELU) trained from scratch with open_clip on rendered
portraits of people who do not exist. It is here to be audited: who was in its training data is
known. It is of no other use. Names are random pairs of common first and last names (US Census
Bureau, 1990 name frequency files, public domain); that one is also the name of a living person
means nothing.

open_clip reads the folder as `local-dir:PATH`. `PROVENANCE.json` says how the weights came about
and what was measured on them. The weights are in half precision; all figures were measured on
these rounded weights in fp32 arithmetic. Token embeddings that no training caption used are zero.

Licence: MIT, as the rest of idia-index. No outside images, captions or weights went into it. The
tokenizer is CLIP's BPE, which open_clip brings; it is not in this folder.
"""


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def data_statistics(seed: int) -> dict[str, Any]:
    """What the model was trained on, with digests of all pixels and of all captions."""
    people = build_population(seed)
    items = training_items(people, seed)
    captions = "\n".join(item.caption for item in items)
    return {
        "pairs": len(items),
        "pairs_by_kind": dict(sorted(Counter(i.kind for i in items).items())),
        "people_by_role": dict(
            sorted(Counter(f"{p.role}_{p.training_count}" for p in people).items())
        ),
        "distinct_captions": len({i.caption for i in items}),
        "captions_sha256": sha256(captions.encode()),
        "images_sha256": sha256(render_items(items).tobytes()),
    }


def provenance(seed: int, run: Path, figures: dict[str, Any]) -> dict[str, Any]:
    """Everything that goes into PROVENANCE.json."""
    weights = (run / "model" / WEIGHTS).read_bytes()
    state = torch.load(run / "checkpoint.pt", weights_only=True)
    deflated = len(zlib.compress(weights, 6))
    recipe = Recipe(steps=int(state["step"]))
    return {
        "format": "idia-index/study-model/1",
        "licence": "MIT",
        "seed": seed,
        "command": f"python benchmarks/study/train.py --seed {seed} --out DIR",
        "recipe": dataclasses.asdict(recipe),
        "loss": "open_clip.ClipLoss",
        "activation": "gelu",
        "tokenizer": "CLIP BPE, 49,408 tokens (open_clip.SimpleTokenizer)",
        "training_seconds": round(float(state["seconds"])),
        "threads": 1,
        "files": {
            WEIGHTS: {"sha256": sha256(weights), "bytes": len(weights), "deflated": deflated},
        },
        "versions": {
            "python": platform.python_version(), "torch": torch.__version__,
            "numpy": np.__version__, "open_clip": open_clip.__version__, "pillow": PIL.__version__,
        },
        "training_data": data_statistics(seed),
        "names": "US Census Bureau 1990 name frequency files (public domain)",
        "figures": figures,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument(
        "--figures", type=Path, required=True, help="what evaluate.py wrote with --out"
    )
    a = parser.parse_args()
    record = provenance(a.seed, a.run, json.loads(a.figures.read_text(encoding="utf-8")))
    MODEL_DIR.mkdir(parents=True, exist_ok=True)
    for source in (a.run / "model").iterdir():
        shutil.copyfile(source, MODEL_DIR / source.name)
    (MODEL_DIR / "README.md").write_text(README, encoding="utf-8")
    text = json.dumps(record, indent=2) + "\n"
    (MODEL_DIR / "PROVENANCE.json").write_text(text, encoding="utf-8")
    print(json.dumps(record["files"]))


if __name__ == "__main__":
    main()
