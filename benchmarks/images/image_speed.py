"""Photos a second: ours, open_clip as published, transformers' CLIP.

    python benchmarks/images/image_speed.py [--quick] [--rounds 3] [--photos 64] > image_speed.json

Photos are drawn: smooth shapes with grain, saved as JPEG (quality 90) and HEIC. Weights are random.
Every round runs every way once on the same photos, in an order that turns, and the table has the
medians of the rounds. Beside it stands the bound: decoding and preprocessing at the rate of one
core times the cores, and then the image tower's arithmetic at the rate of the fastest product of
its shapes that PyTorch or ONNX Runtime has here, times the cores.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from peers import published, transformers_clip
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))
import onnx_common
from onnx_query import tool, vit_gflop

from idia_index import load_backend
from idia_index.backends.torch_products import has_onednn, linear
from idia_index.encode.images import load_image
from idia_index.support.threads import workers

SIZES = {"0.2": (512, 384), "2": (1600, 1200), "12": (4000, 3000)}  # megapixels
Way = Callable[[list[Path]], np.ndarray[Any, Any]]


def write_photos(folder: Path, count: int, size: tuple[int, int], suffix: str) -> list[Path]:
    folder.mkdir()
    if suffix == "heic":
        import_module("pillow_heif").register_heif_opener()
    random = np.random.default_rng(0)
    grain = random.normal(0, 6, (size[1], size[0], 3))
    paths = []
    for number in range(count):
        coarse = Image.fromarray(random.integers(0, 256, (7, 9, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize(size, Image.Resampling.BICUBIC), np.float32)
        pixels = np.clip(smooth + np.roll(grain, 31 * number, axis=1), 0, 255).astype(np.uint8)
        paths.append(folder / f"{number:03d}.{suffix}")
        Image.fromarray(pixels).save(paths[-1], quality=90)
    return paths


def product_gflops(width: int, tokens: int, dtype: torch.dtype) -> float:
    """Of the fastest product of one layer, on one thread: 2 x rows x in x out / second."""
    shapes = ((width, 3 * width), (width, width), (width, 4 * width), (4 * width, width))
    threads, seconds = torch.get_num_threads(), 0.0
    torch.set_num_threads(1)
    with torch.inference_mode():
        for inner, outer in shapes:
            x = torch.randn(16 * tokens, inner).to(dtype)
            weight = torch.randn(outer, inner).to(dtype)
            ways = [partial(torch.nn.functional.linear, x, weight)]
            if has_onednn(dtype):
                ways.append(partial(linear(weight, None, dtype), x))
            seconds += min(core_seconds(way) for way in ways)
    torch.set_num_threads(threads)
    return 2 * 16 * tokens * 12 * width**2 / seconds / 1e9


def core_seconds(run: Callable[[], Any], repeats: int = 5) -> float:
    """Of all threads of this process: a HEIC decoder has some of its own."""
    run()
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        run()
        taken.append(time.process_time() - start)
    return median(taken)


def loading_rate(backend: Any, paths: list[Path]) -> float:
    """Photos that are decoded and preprocessed in a second of one core."""
    some = paths[:8]
    return len(some) / core_seconds(
        lambda: [backend.fit_image(load_image(path)) for path in some], 3
    )


def with_bound(rate: float, loading: float, gflop: float, gflops: float) -> dict[str, float]:
    cores = workers()
    bound = cores / (1 / loading + gflop / gflops)
    return {"photos_per_s": rate, "bound": bound, "share_of_bound": rate / bound}


def ours(spec: str, dtype: str, export: Path | None = None) -> Any:
    if export is not None:
        return load_backend("onnx", model=str(export), device="cpu")
    return load_backend("open_clip", model=spec, dtype=dtype, device="cpu")


def timed(
    ways: dict[str, Way], limits: dict[str, Callable[[], float]], paths: list[Path], rounds: int
) -> tuple[dict[str, float], dict[str, float], Any]:
    """Medians of the rounds: photos a second of each way, each limit; and the ways' embeddings.

    The limits are measured in every round too: a machine that others share is now fast, now slow.
    """
    rates: dict[str, list[float]] = {name: [] for name in ways}
    found: dict[str, list[float]] = {name: [] for name in limits}
    rows: dict[str, Any] = {}
    names = list(ways)
    for way in ways.values():
        way(paths)  # what is made at the first call, and once there are many
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            start = time.perf_counter()
            rows[name] = ways[name](paths)
            rates[name].append(len(paths) / (time.perf_counter() - start))
        for name, limit in limits.items():
            found[name].append(limit())
    medians = ({name: median(all_of) for name, all_of in each.items()} for each in (rates, found))
    return next(medians), next(medians), rows


def measure(arch: str, jobs: list[tuple[str, str, int]], rounds: int, work: Path) -> Any:
    found = []
    with onnx_common.random_checkpoint(arch) as spec:
        loaded = {"float32": ours(spec, "float32")}
        if has_onednn(torch.bfloat16):
            loaded["bfloat16"] = ours(spec, "bfloat16")
        if arch == "ViT-B-32":
            export = work / "export"
            tool("export", "--model", spec, export)
            loaded["onnx"] = ours(spec, "float32", export)
        ways: dict[str, Way] = {name: each.encode_images for name, each in loaded.items()}
        ways["published"] = published(spec)
        if arch == "ViT-B-32":
            ways["transformers"] = transformers_clip()
        visual = loaded["float32"].plugin.clip.visual
        for megapixels, suffix, count in jobs:
            name = f"{arch}-{megapixels}-{suffix}"
            paths = write_photos(work / name, count, SIZES[megapixels], suffix)
            limits = {"loading": partial(loading_rate, loaded["float32"], paths)}
            if arch.startswith("ViT"):
                limits |= product_limits(visual.positional_embedding.shape, loaded)
            rates, limit, rows = timed(ways, limits, paths, rounds)
            line: dict[str, Any] = {"photos": name, "count": count, "limits": limit}
            for way, rate in rates.items():
                line[way] = {"photos_per_s": rate, "times_published": rate / rates["published"]}
                if way in limit:
                    line[way] |= with_bound(rate, limit["loading"], vit_gflop(arch), limit[way])
                cosines = (rows[way] * rows["float32"]).sum(axis=1)
                line[way]["smallest_cosine_to_float32"] = float(cosines.min())
            found.append(line)
            print(json.dumps(line), file=sys.stderr, flush=True)
    return found


def product_limits(shape: tuple[int, int], loaded: dict[str, Any]) -> dict[str, Any]:
    """What measures the rate of the fastest product, in GFLOP/s on one thread, of each of ours."""
    tokens, width = shape
    limits: dict[str, Any] = {
        name: partial(product_gflops, width, tokens, getattr(torch, name))
        for name in loaded
        if name != "onnx"
    }
    if "onnx" in loaded:
        limits["onnx"] = lambda: max(
            limits["float32"](), onnx_common.ort_gflops(16 * tokens, 4 * width, width, 1)
        )
    return limits


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="ViT-B-32 and 1600 x 1200 JPEG only")
    parser.add_argument("--photos", type=int, default=64, help="the most of a kind")
    options = parser.parse_args()
    jobs = [("2", "jpg", 64), ("0.2", "jpg", 64), ("12", "jpg", 16), ("2", "heic", 16)]
    plan = {"ViT-B-32": jobs[:1] if options.quick else jobs}
    if not options.quick:
        plan |= {"RN50-quickgelu": [("2", "jpg", 16)], "ViT-L-14": [("2", "jpg", 8)]}
    plan = {
        arch: [(size, suffix, min(count, options.photos)) for size, suffix, count in todo]
        for arch, todo in plan.items()
    }
    load = os.getloadavg()[0]
    with TemporaryDirectory() as folder:
        found = [
            line
            for arch, todo in plan.items()
            for line in measure(arch, todo, options.rounds, Path(folder))
        ]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({
        "load_before": load, "load_after": os.getloadavg()[0], "cores": workers(),
        "rounds": options.rounds, "peak_memory_mb": memory, "lines": found,
    }, indent=1))  # fmt: skip


if __name__ == "__main__":
    main()
