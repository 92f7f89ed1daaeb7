"""A study whose models are a task each, on three nodes of Ray, beside the same study by `local`.

    python benchmarks/scale/whole_models.py [--models 3] [--people 20]

The controlled study's model by ONNX Runtime, generated portraits. Every file of the two folders
must be the same, bit for bit, but for locks, what an index remembers of photos, which stands in the
order in which threads were done, and the times of the photos, which each run draws anew. `local`
runs on one processor, as each worker does: reports say on how many threads a model ran.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from kills import NODE
from ray.cluster_utils import Cluster

from idia_index.study import ONNX_DIR, candidates

UNLIKE = ("lock", "images.cache", "done.json")


def write_study(folder: Path, people: int) -> Path:
    """A study of some people, every other one a member, and as many candidates more."""
    lines = [
        f"{name},{('non_member', 'member')[place % 2]},{place % 2}"
        for place, name in enumerate(candidates()[:people])
    ]
    (folder / "people.csv").write_text(
        "\n".join(["name,membership,training_count", *lines, ""]), encoding="utf-8"
    )
    study = {
        "format": "idia-index/study/1", "title": "Whole models", "people": "people.csv",
        "evaluation": {"sample_sizes": "1,2,3", "min_images": 3, "draws": 3},
        "candidates": {"total": 2 * people + 20},
    }  # fmt: skip
    (folder / "study.json").write_text(json.dumps(study), encoding="utf-8")
    return folder / "study.json"


def files(folder: Path) -> dict[str, bytes]:
    """What the study made."""
    found = (path for path in folder.rglob("*") if path.is_file() and path.name not in UNLIKE)
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def main() -> None:
    """Prints what was compared; exits with 1 where something differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=3)
    parser.add_argument("--people", type=int, default=20)
    options = parser.parse_args()
    cluster = Cluster(initialize_head=True, head_node_args=NODE)
    for _ in range(2):
        cluster.add_node(**NODE)
    found = {}
    try:
        with TemporaryDirectory() as name:
            folder = Path(name)
            models = [f"--model=m{number}={ONNX_DIR}" for number in range(options.models)]
            command = [sys.executable, "-m", "idia_index", "study",
                       str(write_study(folder, options.people)), "--dry-run", "--dry-images", "3",
                       "--backend", "onnx", *models, "--out", str(folder / "out")]  # fmt: skip
            all_processors = os.sched_getaffinity(0)
            for engine in ("local", f"ray:{cluster.address}"):
                here = engine == "local"
                os.sched_setaffinity(0, {min(all_processors)} if here else all_processors)
                began = time.perf_counter()
                done = subprocess.run(
                    [*command, "--engine", engine], check=True, stdout=subprocess.DEVNULL
                )
                print(f"{engine}: {time.perf_counter() - began:.0f} s, {done.returncode}")
                found[here] = files(folder / "out")
                (folder / "out").rename(folder / ("local" if here else "ray"))
    finally:
        cluster.shutdown()
    unlike = [file for file, data in found[True].items() if found[False].get(file) != data]
    print(f"{len(found[True])} files of {options.models} models; unlike: {unlike or 'none'}")
    sys.exit(bool(unlike) or found[True].keys() != found[False].keys())


if __name__ == "__main__":
    main()
