"""Attacks index directories and exports of every kind: no crash, hang, wrong answer or way out.

    python benchmarks/fuzz/hostile.py [--cases 2000] [--seed 0] [--only flat,onnx]

Cases run in child processes of a hundred, with a limit on memory and on time, so that a crash of a
library is seen and its case named. Half of the cases change files under an honest manifest; the
other half write a manifest whose sizes and checksums fit what was changed. Allowed are an
`IdiaIndexError` of one line and, where the change is one that no checksum guards, an answer.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

# Threads of OpenMP do not live through a fork.
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
from hostile_changes import CHANGES, Change
from hostile_targets import TYPES, Target, index_target, onnx_target

from idia_index.errors import IdiaIndexError

BATCH = 100
SECONDS = 20
ARMED: list[str] = []
MEMORY = 2 << 30  # beside what the process maps to begin with


def guard(allowed: list[str]) -> Callable[[str, tuple[object, ...]], None]:
    """An audit hook that notes in `ARMED` what is opened outside the folders `allowed`."""

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if not ARMED or event != "open" or not isinstance(arguments[0], str | bytes):
            return
        path, flags = os.path.realpath(os.fsdecode(arguments[0])), int(str(arguments[2]))
        if "outside" not in path or any(path.startswith(folder) for folder in allowed):
            return
        # What follows no link does not get there; with an opener `open` is told of twice.
        if flags & os.O_NOFOLLOW:
            ARMED[1:] = []
        else:
            ARMED.append(path)

    return hook


def run_case(target: Target, base: Path, place: Path, number: int, seed: int) -> str:
    """One case: what came of it, "" if that is all right."""
    random = np.random.default_rng([seed, number])
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(base, place, symlinks=True)
    change: Change = CHANGES[int(random.integers(len(CHANGES)))]
    honest = bool(random.random() < 0.5) or not change.can_be_signed
    try:
        what = change.make(place, random)
    except (OSError, IndexError, ValueError, KeyError, TypeError):
        return "skip"
    if not honest:
        target.sign(place)
    ARMED.append("armed")
    try:
        told = f"{change.name} {what} {honest=}"
        found = judge(target, place, honest and change.guarded, told)
        return f"{told}: opened {ARMED[1:]}" if ARMED[1:] else found
    finally:
        ARMED.clear()


def judge(target: Target, place: Path, guarded: bool, told: str) -> str:
    """Uses a directory that was changed: what came of it, "fine" if that is all right."""
    for name, use in target.uses:
        signal.alarm(SECONDS)
        try:
            found = use(place)
        except IdiaIndexError as error:
            line = str(error)
            if "\n" in line or len(line) > 2000:
                return f"{told}: {name}: not one line: {line[:300]!r}"
            if str(place) not in line and place.name not in line:
                return f"{told}: {name}: names no file: {line[:300]!r}"
            continue
        except BaseException as error:  # noqa: BLE001
            return f"{told}: {name}: {type(error).__name__}: {error}"
        finally:
            signal.alarm(0)
        if guarded and found is not None and found != target.expected[name]:
            return f"{told}: {name}: a wrong answer"
    return "fine"


def batch(
    target: Target, base: Path, folder: Path, numbers: range, seed: int, pipe: object
) -> None:
    """Runs some cases, and says which one it is at."""
    os.setsid()
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + MEMORY, mapped + MEMORY))
    sys.addaudithook(guard([str(folder / "place")]))
    for number in numbers:
        pipe.send(("at", number))  # type: ignore[attr-defined]
        found = run_case(target, base, folder / "place", number, seed)
        pipe.send(("done", found))  # type: ignore[attr-defined]


def attack(target: Target, base: Path, folder: Path, cases: int, seed: int) -> Counter[str]:
    """All cases of one target; prints what is wrong."""
    context, counts = multiprocessing.get_context("fork"), Counter[str]()
    for first in range(0, cases, BATCH):
        mine, theirs = context.Pipe()
        numbers = range(first, min(first + BATCH, cases))
        child = context.Process(target=batch, args=(target, base, folder, numbers, seed, theirs))
        child.start()
        theirs.close()
        at = first
        while True:
            try:
                if not mine.poll(5 * SECONDS):
                    child.kill()
                    counts["hang"] += 1
                    print(f"  {target.name} case {at}: HANG")
                    break
                event, value = mine.recv()
            except EOFError:
                break
            if event == "at":
                at = value
            elif value in ("fine", "skip"):
                counts[value] += 1
            else:
                counts["wrong"] += 1
                print(f"  {target.name} case {at}: {value[:400]}")
        child.join()
        if child.exitcode:
            counts["crash"] += 1
            print(f"  {target.name} case {at}: the process ended with {child.exitcode}")
    return counts


def main() -> int:
    """Attacks each target; the exit code is 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=2000, help="for each target")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default=",".join([*TYPES, "onnx"]))
    options = parser.parse_args()
    signal.signal(signal.SIGALRM, _late)
    total = Counter[str]()
    with tempfile.TemporaryDirectory() as name:
        for which in options.only.split(","):
            folder = Path(name) / which
            (folder / "outside").mkdir(parents=True)
            (folder / "outside" / "secret.txt").write_text("never read\n")
            make = onnx_target if which == "onnx" else index_target
            target = make(which, folder / "base")
            began = time.perf_counter()
            counts = attack(target, folder / "base", folder, options.cases, options.seed)
            print(f"{which:15} {dict(counts)} in {time.perf_counter() - began:.0f} s", flush=True)
            total += counts
    print(json.dumps({"cases": total["fine"] + total["wrong"], **total}))
    return int(any(total[what] for what in ("wrong", "crash", "hang")))


def _late(*_: object) -> None:
    raise TimeoutError(f"more than {SECONDS} s")


if __name__ == "__main__":
    sys.exit(main())
