"""The controlled study through both backends: what differs in float32 and in float16.

    python benchmarks/onnx_study.py > onnx_study.json

Takes the packaged model, its 1,000 candidate names, the paper's 21 templates, and 30 images of
every subject.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx_common

from idia_index.backends.onnx import OnnxBackend
from idia_index.backends.onnx_export import export_model
from idia_index.backends.open_clip import OpenClipBackend
from idia_index.parity import compare
from idia_index.study.subjects import MODEL_DIR, candidates, write_subjects
from idia_index.subjects import read_subjects
from idia_index.templates import JAIR2024


def main() -> None:
    images = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    source = OpenClipBackend(model=f"local-dir:{MODEL_DIR}", device="cpu")
    figures = {}
    with TemporaryDirectory() as folder:
        people = read_subjects(write_subjects(Path(folder) / "subjects", images))
        for dtype in ("float32", "float16"):
            out = export_model(source, Path(folder) / dtype, dtype).folder
            export = OnnxBackend(model=str(out), device="cpu", dtype=dtype)
            report = compare(source, export, candidates(), JAIR2024, people)
            figures[dtype] = report.to_json()
            print(dtype, report, file=sys.stderr)
    figures["gemm_gflops"] = onnx_common.gemm_gflops()
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
