"""Every architecture with random weights: the export against open_clip's own encode functions.

    python benchmarks/onnx_parity.py [ARCHITECTURE...] > onnx_parity.json

Texts go to open_clip padded to the full context, images through its own transform, so nothing
but the weights is shared with the export.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx_common
import open_clip
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2

from idia_index.backends.onnx import OnnxBackend
from idia_index.backends.onnx_export import export_model
from idia_index.backends.onnx_probe import TEXTS, probe_images
from idia_index.backends.open_clip import OpenClipBackend
from idia_index.encode.backend import Backend
from idia_index.prompts.templates import JAIR2024

ARCHITECTURES = (
    "ViT-B-32",
    "ViT-B-32-quickgelu",
    "ViT-B-16",
    "ViT-B-16-quickgelu",
    "ViT-L-14",
    "ViT-L-14-quickgelu",
    "RN50",
    "RN50-quickgelu",
    "RN50x4",
    "RN50x4-quickgelu",
)
DTYPES = ("float32", "float16")


def unit(rows: torch.Tensor) -> Any:
    return torch.nn.functional.normalize(rows, dim=-1).numpy()


@torch.inference_mode()
def reference(backend: OpenClipBackend, texts: list[str]) -> tuple[Any, Any]:
    """Embeddings the published way: texts [n, D] and images [m, D], unit rows."""
    ids = open_clip.tokenize(texts, context_length=backend.tokenizer.context_length)
    transform = image_transform_v2(PreprocessCfg(**backend.preprocessing), is_train=False)
    pixels = torch.stack([transform(image) for image in probe_images()])
    return unit(backend.clip.encode_text(ids)), unit(backend.clip.encode_image(pixels))


def difference(a: Any, b: Any) -> dict[str, float]:
    return {
        "largest": float(np.abs(a - b).max()),
        "smallest_cosine": float((a.astype(np.float64) * b).sum(axis=1).min()),
    }


def compare(architecture: str, spec: str) -> dict[str, Any]:
    backend = OpenClipBackend(model=spec, device="cpu")
    names = onnx_common.paper_names(6)
    texts = [*TEXTS, *(t.fill(name) for t in JAIR2024 for name in names)]
    texts = [t for t in texts if len(backend.tokenizer.encode(t)) <= 75]
    expected = reference(backend, texts)
    row: dict[str, Any] = {"architecture": architecture, "texts": len(texts)}
    for dtype in DTYPES:
        with TemporaryDirectory() as folder:
            out = Path(folder) / "export"
            start = time.perf_counter()
            export_model(backend, out, dtype)
            took = time.perf_counter() - start
            onnx = OnnxBackend(model=str(out), device="cpu", dtype=dtype)
            row[dtype] = {
                "text": difference(expected[0], Backend(onnx).encode_texts(texts)),
                "image": difference(expected[1], Backend(onnx).encode_images(probe_images())),
                "bytes": sum(path.stat().st_size for path in out.iterdir()),
                "export_seconds": round(took, 1),
            }
    return row


def main() -> None:
    rows = []
    for architecture in sys.argv[1:] or ARCHITECTURES:
        with onnx_common.random_checkpoint(architecture) as spec:
            rows.append(compare(architecture, spec))
        print(json.dumps(rows[-1]), file=sys.stderr)
    versions = {"torch": torch.__version__, "open_clip": open_clip.__version__}
    print(json.dumps({"versions": versions, "models": rows}, indent=1))


if __name__ == "__main__":
    main()
