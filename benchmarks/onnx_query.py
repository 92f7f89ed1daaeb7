"""A cold query: from the start of the process to the answer, ONNX on the CPU.

    python benchmarks/onnx_query.py [ARCHITECTURE] > onnx_query.json

30 images against 21 templates x 1,000 names. Beside it stand the image tower's arithmetic at
the rate that the machine multiplies matrices at, once NumPy's and once ONNX Runtime's own, which
may be twice as high; and the same job the published way: prompts and images encoded by open_clip
each time. That way's prompts are timed on a sample and scaled.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx_common
from PIL import Image

from idia_index.backends.onnx_runtime import usable_cores
from idia_index.prompts.templates import JAIR2024

IMAGES, NAMES, ROUNDS, SAMPLE = 30, 1000, 7, 64

PUBLISHED = """
import sys, time, json
start = time.perf_counter()
import open_clip, torch
from PIL import Image
architecture, checkpoint, sample, *paths = sys.argv[1:]
model, _, transform = open_clip.create_model_and_transforms(architecture, pretrained=checkpoint)
model.eval()
texts = json.load(sys.stdin)
loaded = time.perf_counter()
with torch.inference_mode():
    images = model.encode_image(torch.stack([transform(Image.open(p)) for p in paths]))
    imaged = time.perf_counter()
    model.encode_text(open_clip.tokenize(texts[: int(sample)]))
print(json.dumps([loaded - start, imaged - loaded, time.perf_counter() - imaged]))
"""


def vit_gflop(architecture: str) -> float:
    """Arithmetic of a ViT image tower for one image."""
    import open_clip

    config = open_clip.get_model_config(architecture)
    vision = config["vision_cfg"]
    width, layers, patch = vision["width"], vision["layers"], vision["patch_size"]
    patches = (vision["image_size"] // patch) ** 2
    tokens = patches + 1
    block = 24 * tokens * width**2 + 4 * tokens**2 * width
    embed = 2 * patches * 3 * patch**2 * width
    return (layers * block + embed + 2 * width * config["embed_dim"]) / 1e9


def run(*command: object, stdin: str | None = None) -> str:
    # An answer from embeddings that the query before has left would be no cold one.
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        input=stdin,
        capture_output=True,
        text=True,
        env={**os.environ, "IDIA_INDEX_IMAGE_CACHE": "off"},
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout


def tool(*arguments: object) -> str:
    return run("-m", "idia_index", *arguments)


def write_images(folder: Path) -> list[Path]:
    """Photographs' worth of bytes: smooth shapes with grain, 480 x 640, JPEG."""
    folder.mkdir()
    random = np.random.default_rng(0)
    paths = []
    for number in range(IMAGES):
        coarse = Image.fromarray(random.integers(0, 256, (9, 7, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((480, 640), Image.Resampling.BICUBIC), np.float32)
        pixels = np.clip(smooth + random.normal(0, 6, smooth.shape), 0, 255).astype(np.uint8)
        paths.append(folder / f"{number:02d}.jpg")
        Image.fromarray(pixels).save(paths[-1], quality=90)
    return paths


def measure(architecture: str, checkpoint: str, work: Path) -> dict[str, Any]:
    names = onnx_common.paper_names(NAMES)
    (work / "names.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    paths = write_images(work / "images")
    tool("export", "--model", f"{architecture}/{checkpoint}", work / "export")
    build = onnx_common.seconds(
        lambda: tool(
            "build",
            work / "x.idia",
            "--backend",
            "onnx",
            "--model",
            work / "export",
            "--names",
            work / "names.txt",
            "--no-progress",
        )
    )
    query = ("query", work / "x.idia", work / "images", "--name", names[0], "--json")
    tool(*query)  # what the cold start excludes: the disk, and hashing the export once
    cold, gemm, own, published = [], [], [], []
    texts = json.dumps([t.fill(name) for name in names for t in JAIR2024])
    for _ in range(ROUNDS):
        gemm.append(onnx_common.gemm_gflops(repeats=3))
        own.append(onnx_common.ort_gflops(400, 3072, 768, usable_cores()))
        cold.append(onnx_common.seconds(lambda: tool(*query)))
        if len(published) < 3:
            found = run("-c", PUBLISHED, architecture, checkpoint, SAMPLE, *paths, stdin=texts)
            load, image, text = json.loads(found)
            published.append(load + image + text * NAMES * len(JAIR2024) / SAMPLE)
    arithmetic, least = (IMAGES * vit_gflop(architecture) / median(r) for r in (gemm, own))
    return {
        "architecture": architecture,
        "gemm_gflops": median(gemm),
        "onnxruntime_gflops": median(own),
        "cold_query_seconds": median(cold),
        "cold_query_all": cold,
        "image_arithmetic_seconds": arithmetic,
        "allowed_seconds": 1.5 * arithmetic + 0.5,
        "image_arithmetic_seconds_by_onnxruntime": least,
        "allowed_seconds_by_onnxruntime": 1.5 * least + 0.5,
        "published_seconds_scaled": median(published),
        "times_published": median(published) / median(cold),
        "build_seconds": build,
    }


def main() -> None:
    architecture = sys.argv[1] if len(sys.argv) > 1 else "ViT-B-32"
    with onnx_common.random_checkpoint(architecture) as spec, TemporaryDirectory() as folder:
        checkpoint = spec.removeprefix(f"{architecture}/")
        print(json.dumps(measure(architecture, checkpoint, Path(folder)), indent=1))


if __name__ == "__main__":
    main()
