"""What the engine `ray` costs: shards and photos a second beside `local`, empty tasks, memory.

    python benchmarks/scale/overhead.py throughput [--rounds 3] [--names 200]
    python benchmarks/scale/overhead.py dispatch [--tasks 10000]

`throughput`: ViT-B/32 with random weights, 21 templates, photos of 0.2 megapixels; `local` with the
threads that there are, beside workers of one thread each, as many, kept from a round before. Each
round runs both, in an order that turns. `dispatch`: tasks that do nothing, on two workers, in one
process, with this process's memory as it goes.

With --processor-time rates are those of a core, for machines that others use.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from empty_task import Empty
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))
from build_names import cross_names
from onnx_common import random_checkpoint

import idia_index.pipelines.build
from idia_index import build_index
from idia_index.encode.backend import Backend
from idia_index.encode.image_cache import ImageCache
from idia_index.pipelines.load import load_model
from idia_index.prompts.names import make_names
from idia_index.registry import load_engine
from idia_index.subjects.records import Subject
from idia_index.subjects.subject_images import encode_subjects

PIECES = 10  # shards of a build
Clock = Callable[[], float]


def photos(folder: Path, count: int) -> list[Subject]:
    """One person's photos, JPEGs of smooth shapes."""
    random = np.random.default_rng(0)
    for number in range(count):
        pixels = random.integers(0, 256, (7, 9, 3), dtype=np.uint8)
        image = Image.fromarray(pixels).resize((512, 384), Image.Resampling.BICUBIC)
        image.save(folder / f"{number:04d}.jpg", quality=90)
    return [Subject("Ann Lee", tuple(sorted(folder.iterdir())))]


def build_rate(backend: Backend, names: list[str], folder: Path, clock: Clock) -> float:
    """Prompts a second of a build."""
    began = clock()
    index = build_index(folder / f"{time.monotonic_ns()}", backend, make_names(names))
    return len(names) * len(index.templates) / (clock() - began)


def photo_rate(backend: Backend, subjects: list[Subject], clock: Clock) -> float:
    """Photos a second."""
    cache = ImageCache(None, backend.fingerprint, "")
    began = clock()
    encode_subjects(backend, subjects, cache, strict=True)
    return len(subjects[0].images) / (clock() - began)


def processor_time() -> float:
    """Seconds of a core that this process and all that it started have used, Ray's own too."""
    parents: dict[int, list[tuple[int, float]]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(") ", 1)[1].split()
        except OSError:
            continue
        ticks = int(fields[11]) + int(fields[12])
        parents.setdefault(int(fields[1]), []).append((int(stat.parent.name), float(ticks)))
    used, todo = 0.0, [os.getpid()]
    while todo:
        for pid, ticks in parents.get(todo.pop(), []):
            used += ticks
            todo.append(pid)
    return time.process_time() + used / os.sysconf("SC_CLK_TCK")


def throughput(
    rounds: int, count: int, images: int, clock: Clock, model: str | None
) -> dict[str, object]:
    """Both engines in turn."""
    names = cross_names()[:count]
    made = random_checkpoint("ViT-B-32") if model is None else nullcontext(model)
    with TemporaryDirectory() as folder, made as spec:
        backend = load_model(spec)
        idia_index.pipelines.build.SHARD_BYTES = (
            21 * backend.fingerprint.dim * 4 * -(-count // PIECES)
        )
        (Path(folder) / "photos").mkdir()
        subjects = photos(Path(folder) / "photos", images)
        engines = {"local": load_engine(), "ray": load_engine("ray")}
        rates: dict[str, list[float]] = {}
        for number in range(rounds + 1):
            for name in sorted(engines, reverse=bool(number % 2)):
                backend.engine = engines[name]
                found = {
                    "build": build_rate(backend, names, Path(folder), clock),
                    "photos": photo_rate(backend, subjects, clock),
                }
                for what, rate in found.items():
                    key = f"{what} {name}" if number else f"first {what} {name}"
                    rates.setdefault(key, []).append(round(rate, 1))
                print(number, name, found, file=sys.stderr, flush=True)
    shares = {
        what: round(
            statistics.median(rates[f"{what} ray"]) / statistics.median(rates[f"{what} local"]), 3
        )
        for what in ("build", "photos")
    }
    return {"device": backend.device, "rates": rates, "ray / local": shares}


def dispatch(tasks: int) -> dict[str, object]:
    """Empty tasks a second, and the memory of this process as they pass."""
    engine = load_engine("ray", workers=2)
    engine.run(Empty(), range(100), lambda *_: None, lambda _: None)
    memory: list[int] = []

    def collect(given: int, _: int) -> None:
        if given % (tasks // 10) == 0:
            memory.append(_resident())

    began = time.perf_counter()
    engine.run(Empty(), iter(range(tasks)), collect, lambda _: None)
    taken = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {"tasks/s": round(tasks / taken), "resident MB": memory, "peak MB": peak}


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() >> 20


def main() -> None:
    """Prints a JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("throughput", "dispatch"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--names", type=int, default=200)
    parser.add_argument("--photos", type=int, default=640)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--model", metavar="SPEC", help="by default ViT-B/32, random weights")
    parser.add_argument("--processor-time", action="store_true")
    options = parser.parse_args()
    clock = processor_time if options.processor_time else time.perf_counter
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)  # workers import empty_task
    found = (
        dispatch(options.tasks)
        if options.what == "dispatch"
        else throughput(options.rounds, options.names, options.photos, clock, options.model)
    )
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
