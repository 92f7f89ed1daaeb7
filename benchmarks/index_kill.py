"""Kills builds and adds with SIGKILL at random moments, and compares what they leave.

    python benchmarks/index_kill.py [--kills 30] [--seed 0] [--index flat]

A process of its own builds an index (then: adds names to one) and is killed after a random part
of the time that its work takes. A process that was done before does not count: it begins again
from the same files, and is killed at another moment. After every kill the index must open as before
or be resumable; in the end the files must equal, bit for bit, those of a run that nobody killed.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from idia_index import open_index
from idia_index.errors import InputError

WORKER = """
import hashlib, sys, time
import numpy as np
import idia_index.pipelines.build
from idia_index.pipelines.change import add_names
from idia_index.prompts.names import make_names
from idia_index.plugins import BackendPlugin
from idia_index.types import Fingerprint
from idia_index.prompts.templates import JAIR2024

idia_index.pipelines.build.SHARD_BYTES = 16 * 4 * 21 * 10


class Words(BackendPlugin):
    name = "words"
    model = "words"
    device = "cpu"
    fingerprint = Fingerprint("words", "0" * 64, "words", "none", "none", 16, "float32")

    def embed_images(self, images):
        raise NotImplementedError

    def embed_texts(self, texts):
        time.sleep(0.003)
        seeds = [hashlib.sha256(text.encode()).digest() for text in texts]
        return np.stack([
            np.random.default_rng(list(seed)).standard_normal(16).astype(np.float32)
            for seed in seeds
        ])


def names(start, stop):
    return make_names([f"First{i % 7} Last{i}" for i in range(start, stop)])


path, action, kind = sys.argv[1:]
print("ready", flush=True)
if action == "build":
    idia_index.pipelines.build.build_index(path, Words(), names(0, 60), index_type=kind,
                                             resume=True)
else:
    add_names(path, Words(), names(50, 120))
print("done", flush=True)
"""


def start(path: Path, action: str, index_type: str) -> subprocess.Popen[str]:
    """A worker that has imported everything and begins to write."""
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(path), action, index_type],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    return process


def finish(path: Path, action: str, index_type: str) -> float:
    """Runs a worker to its end, and says how long it wrote."""
    process = start(path, action, index_type)
    began = time.perf_counter()
    out, errors = process.communicate()
    if out != "done\n":
        raise SystemExit(f"{action} failed: {errors}")
    return time.perf_counter() - began


def files(folder: Path) -> dict[str, bytes]:
    """All files of an index but the lock."""
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.name != "lock"}


def state(path: Path) -> int | None:
    """Names of the index at a path, None for a build that can be resumed or is not begun."""
    try:
        return len(open_index(path))
    except InputError as error:
        if "--resume" in str(error) or "no such index" in str(error):
            return None
        if "not an index" in str(error) and {p.name for p in path.iterdir()} <= {
            "lock", "build.json.part",
        }:  # fmt: skip
            return None
        raise


def kill_working(
    path: Path, action: str, index_type: str, left: float, random: np.random.Generator
) -> float:
    """Kills a worker while it writes; `left` is what its work takes at most.

    Returns what is left of it after, about.
    """
    kept = path.with_name("kept")
    shutil.rmtree(kept, ignore_errors=True)
    if path.exists():
        shutil.copytree(path, kept)
    while True:
        process = start(path, action, index_type)
        began = time.perf_counter()
        after = float(random.uniform(0, left))
        time.sleep(after)
        process.kill()
        out, errors = process.communicate()
        if process.returncode == -signal.SIGKILL and "done" not in out:
            return left - after
        if process.returncode > 0:
            raise SystemExit(f"{action} failed: {errors}")
        left = min(left, time.perf_counter() - began)
        shutil.rmtree(path)
        if kept.exists():
            shutil.copytree(kept, path)


def attack(folder: Path, action: str, index_type: str, kills: int, seed: int) -> list[float]:
    """Kills an action again and again; each time from where the kill before left it.

    Returns the share of the work's time at which each kill came.
    """
    base, whole, path = folder / "base", folder / f"whole-{action}", folder / action
    if action == "add":
        shutil.copytree(base, whole)
    took = finish(whole, action, index_type)
    if action == "build":
        shutil.copytree(whole, base)
    expected, before = files(whole), None if action == "build" else len(open_index(base))
    random, left, shares = np.random.default_rng(seed), took, []
    for number in range(kills):
        if number % 3 == 0:  # three kills of one and the same build, then a new one
            shutil.rmtree(path, ignore_errors=True)
            left = took
            if action == "add":
                shutil.copytree(base, path)
        left = max(kill_working(path, action, index_type, left, random), 0.1 * took)
        shares.append(1 - left / took)
        if state(path) not in (before, len(open_index(whole))):
            raise SystemExit(f"kill {number} of {action}: {state(path)} names")
        copy = folder / "copy"
        shutil.copytree(path, copy) if path.exists() else None
        finish(copy, action, index_type)
        if files(copy) != expected:
            differing = sorted(set(files(copy).items()) ^ set(expected.items()))
            named = sorted({name for name, _ in differing})
            raise SystemExit(f"kill {number} of {action}: other files than uninterrupted: {named}")
        shutil.rmtree(copy)
    return shares


def main() -> None:
    """Runs both attacks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--index", default="flat")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for action in ("build", "add"):
            shares = attack(Path(folder), action, options.index, options.kills, options.seed)
            print(
                f"{action}: {len(shares)} of {options.kills} killed at work, "
                f"{min(shares):.0%} to {max(shares):.0%} of the way through; every one as before "
                "or resumable, and in the end the same bytes as uninterrupted"
            )


if __name__ == "__main__":
    main()
