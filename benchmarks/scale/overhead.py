"""What engines cost: `ray` beside `local`, `local` beside what there was before, empty tasks.

    python benchmarks/scale/overhead.py throughput [--rounds 3] [--names 500] [--photos 64]
    python benchmarks/scale/overhead.py before PYTHON [--rounds 3] [--names 500] [--photos 64]
    python benchmarks/scale/overhead.py dispatch [--tasks 10000]

`throughput`: ViT-B/32 with random weights, 21 templates, photos of 1600 x 1200; `local` with the
threads that there are, beside workers of one thread each, as many, kept from a round before. Each
round runs both, in an order that turns. `before`: the same work of `local` in processes of their
own, in turn by this Python and by another that has an earlier version, also one without engines.
`dispatch`: tasks that do nothing, on two workers, with this process's memory as it goes.

Of each pair the ratio is told and of all pairs the median, by the clock, which other work on the
machine disturbs, and by processor time, of all processes of Ray too.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from empty_task import Empty
from one_run import Spent, both
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))
from onnx_common import random_checkpoint

from idia_index.pipelines.load import load_model
from idia_index.registry import load_engine

SIZE = (1600, 1200)
Found = dict[str, Spent]


@contextmanager
def material(model: str | None, count: int) -> Iterator[tuple[str, Path]]:
    """A SPEC, and a folder of photos: JPEGs of smooth shapes."""
    random = np.random.default_rng(0)
    made = random_checkpoint("ViT-B-32") if model is None else nullcontext(model)
    with TemporaryDirectory() as folder, made as spec:
        for number in range(count):
            pixels = random.integers(0, 256, (7, 9, 3), dtype=np.uint8)
            image = Image.fromarray(pixels).resize(SIZE, Image.Resampling.BICUBIC)
            image.save(Path(folder) / f"{number:04d}.jpg", quality=90)
        yield spec, Path(folder)


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


def in_turn(rounds: int, runs: dict[str, Callable[[], Found]]) -> dict[str, object]:
    """Runs two things in turn; the ratio of the first's seconds to the second's."""
    first, second = runs
    pairs: list[dict[str, Found]] = []
    for number in range(rounds):
        order = sorted(runs, reverse=bool(number % 2))
        pairs.append({name: runs[name]() for name in order})
        print(number, pairs[-1], file=sys.stderr, flush=True)
    told: dict[str, object] = {"seconds (clock, core)": pairs}
    for place, clock in enumerate(("clock", "core")):
        for what in pairs[0][first]:
            ratios = [pair[first][what][place] / pair[second][what][place] for pair in pairs]
            told[f"{what}, {clock}: {first} / {second}"] = {
                "median": round(statistics.median(ratios), 3),
                "pairs": [round(ratio, 3) for ratio in ratios],
            }
    return told


def throughput(rounds: int, count: int, images: int, model: str | None) -> dict[str, object]:
    """Seconds of `local` / those of `ray`: the throughput of `ray`, with `local`'s as 1."""
    with material(model, images) as (spec, folder):
        backend = load_model(spec)
        engines = {"local": load_engine(), "ray": load_engine("ray")}

        def run(name: str) -> Found:
            backend.engine = engines[name]
            return both(backend, count, folder, processor_time)

        print("first", run("ray"), file=sys.stderr, flush=True)  # workers start
        return in_turn(rounds, {"local": lambda: run("local"), "ray": lambda: run("ray")})


def before(
    python: str, rounds: int, count: int, images: int, model: str | None
) -> dict[str, object]:
    """Seconds of `local` now / those of the earlier version."""
    with material(model, images) as (spec, folder):

        def run(program: str) -> Found:
            script = str(Path(__file__).with_name("one_run.py"))
            command = [program, script, spec, str(count), str(folder)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
            found: Found = json.loads(done.stdout)
            return found

        return in_turn(rounds, {"now": lambda: run(sys.executable), "then": lambda: run(python)})


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
    parser.add_argument("what", choices=("throughput", "before", "dispatch"))
    parser.add_argument("python", nargs="?", help="of `before`")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--names", type=int, default=500)
    parser.add_argument("--photos", type=int, default=64)
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--model", metavar="SPEC", help="by default ViT-B/32, random weights")
    options = parser.parse_args()
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)  # workers import empty_task
    size = options.rounds, options.names, options.photos, options.model
    if options.what == "dispatch":
        found = dispatch(options.tasks)
    elif options.what == "before":
        found = before(options.python, *size)
    else:
        found = throughput(*size)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
