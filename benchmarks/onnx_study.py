"""The controlled study through both backends: what differs in float32 and in float16.

    python benchmarks/onnx_study.py [IMAGES] > onnx_study.json

Takes the packaged model, its 1,000 candidate names, the paper's 21 templates, and 30 images of
every subject. The packaged weights are float16 already, so that a float16 export loses nothing
of them. The same is therefore done with weights of float32 that round to them: each weight is
moved by a random part of the way to where it would round to another. The weights that the study
trained were such, and any export of weights trained in float32 loses as much.
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx_common
from safetensors.numpy import load_file, save_file

from idia_index.backends.onnx import OnnxBackend
from idia_index.backends.onnx_export import export_model
from idia_index.backends.open_clip import OpenClipBackend
from idia_index.pipelines.parity import compare
from idia_index.prompts.templates import JAIR2024
from idia_index.study.subjects import MODEL_DIR, candidates, write_subjects
from idia_index.subjects.subjects import read_subjects
from idia_index.support.documents import to_json

WEIGHTS = "open_clip_model.safetensors"


def unrounded(folder: Path, seed: int = 0) -> Path:
    """The packaged model with float32 weights that round to its own, in a folder of its own."""
    shutil.copytree(MODEL_DIR, folder)
    random = np.random.default_rng(seed)
    weights = {}
    for name, halves in load_file(MODEL_DIR / WEIGHTS).items():
        values = halves.astype(np.float32)
        # 0.49 of the step to the next number, so that none reaches the middle.
        step = np.spacing(np.abs(halves)).astype(np.float32) * np.float32(0.49)
        # Of a power of two, the step below is half the step above.
        step *= np.where(np.frexp(np.abs(values))[0] == 0.5, 0.5, 1).astype(np.float32)
        moved = values + step * random.uniform(-1, 1, values.shape).astype(np.float32)
        assert (moved.astype(np.float16) == halves).all() and (moved != values).mean() > 0.99
        weights[name] = np.asarray(moved)
    save_file(weights, folder / WEIGHTS)
    return folder


def figures(model: Path, people: Any, work: Path) -> dict[str, Any]:
    """What differs between a model and its exports, by dtype."""
    source = OpenClipBackend(model=f"local-dir:{model}", device="cpu")
    found = {}
    for dtype in ("float32", "float16"):
        out = export_model(source, work / f"{model.name}-{dtype}", dtype).folder
        export = OnnxBackend(model=str(out), device="cpu", dtype=dtype)
        report = compare(source, export, candidates(), JAIR2024, people)
        found[dtype] = to_json(report)
        print(model.name, dtype, report, file=sys.stderr)
    return found


def main() -> None:
    images = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    with TemporaryDirectory() as folder:
        work = Path(folder)
        people = read_subjects(write_subjects(work / "subjects", images))
        result = {
            "as packaged": figures(MODEL_DIR, people, work),
            "float32 weights that round to these": figures(
                unrounded(work / "unrounded"), people, work
            ),
            "gemm_gflops": onnx_common.gemm_gflops(),
        }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
