"""Sends Ctrl-C to the commands at random moments: one line, exit code 1, and it goes on.

    python benchmarks/fuzz/interrupts.py [--rounds 30] [--seed 0] [--only build,add,...]

Each command runs as people run it, with the model of the controlled study, and gets SIGINT after
a random part of the time that it takes. Then it must have ended with 1 and one line on standard
error, or with 0 where it was done before; the index must open as before or as after, or say that
it is unfinished; an export must be there whole or not at all, and nothing lie beside; and the same
command again must bring about what an undisturbed one does.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from idia_index import open_index
from idia_index.errors import InputError
from idia_index.study import MODEL_DIR, ONNX_DIR, candidates, subjects, write_subjects

CLI = [sys.executable, "-m", "idia_index"]
# An interrupt while Python itself starts ends in Python's own words, before any of ours run.
STARTED = 0.08


class Work:
    """The folders that the commands work in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.index, self.out = folder / "index", folder / "out"
        names = candidates()
        (folder / "few.txt").write_text("\n".join(names[:40]) + "\n")
        (folder / "more.txt").write_text("\n".join(names[40:160]) + "\n")
        people = subjects()[:3]
        write_subjects(folder / "people", 4, processes=1, chosen=people)
        self.run(self.command("build"))
        shutil.copytree(self.index, folder / "base")

    def command(self, action: str) -> list[str]:
        """The command line of an action."""
        model = ["--backend", "onnx", "--model", str(ONNX_DIR)]
        few, more = str(self.folder / "few.txt"), str(self.folder / "more.txt")
        index, people = str(self.index), str(self.folder / "people")
        return [*CLI, *{
            "build": ["build", index, *model, "--names", few, "--resume"],
            "add": ["add", index, "--names", more],
            "remove": ["remove", index, "--names", few + ".gone"],
            "compact": ["compact", index],
            "audit": ["audit", index, people, "--out", str(self.out)],
            "evaluate": ["evaluate", index, people, "--out", str(self.out),
                         "--sample-sizes", "1,2", "--min-images", "2"],
            "verify": ["verify", index],
            "export": ["export", "--model", f"local-dir:{MODEL_DIR}", str(self.out)],
        }[action]]  # fmt: skip

    def start(self, action: str) -> None:
        """The folders as they are before an action."""
        shutil.rmtree(self.index, ignore_errors=True)
        shutil.rmtree(self.out, ignore_errors=True)
        (self.folder / "few.txt.gone").write_text("\n".join(candidates()[:10]) + "\n")
        if action not in ("build", "export"):
            shutil.copytree(self.folder / "base", self.index)
        if action == "compact":
            self.run(self.command("remove"))

    def run(self, command: list[str]) -> None:
        """Runs a command to its end."""
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{command}: {done.stderr}")

    def state(self) -> str:
        """What the index says of itself."""
        try:
            index = open_index(self.index, verify=True)
        except InputError as error:
            if "--resume" in str(error) or "no such index" in str(error):
                return "none yet"
            if "not an index" in str(error) and not list(self.index.glob("0*")):
                return "none yet"
            raise
        return json.dumps([list(index.names), len(index.templates)])

    def beside(self) -> set[str]:
        """What is in the folder beside what actions make."""
        return {path.name for path in self.folder.iterdir()} - {self.index.name, self.out.name}

    def files(self) -> dict[str, bytes]:
        """What an action has made: the bytes of the index, the names of other results."""
        found = {}
        if self.index.is_dir():
            found = {p.name: p.read_bytes() for p in self.index.iterdir()
                     if p.name not in ("lock", "images.cache")}  # fmt: skip
        if self.out.is_dir():
            found |= {f"out/{p.name}": b"" for p in self.out.iterdir()}
        return found


def attack(work: Work, action: str, rounds: int, rng: random.Random) -> Counter[str]:
    """Interrupts an action again and again."""
    work.start(action)
    before, began = work.state(), time.perf_counter()
    work.run(work.command(action))
    took, after, expected = time.perf_counter() - began, work.state(), work.files()
    beside = work.beside()
    counts = Counter[str]()
    for _ in range(rounds):
        work.start(action)
        wait = rng.uniform(STARTED, took)
        process = subprocess.Popen(
            work.command(action), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        time.sleep(wait)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
        last = (said.strip().splitlines() or [""])[-1]
        told = f"{action} after {wait:.2f} of {took:.2f} s"
        if "Traceback" in said or "Exception ignored" in said:
            raise SystemExit(f"{told}: {said}")
        if process.returncode not in (0, 1) or (process.returncode and "interrupted" not in last):
            raise SystemExit(f"{told}: ended with {process.returncode}: {said}")
        counts["interrupted" if process.returncode else "done before"] += 1
        if work.state() not in (before, after):
            raise SystemExit(f"{told}: left {work.state()[:200]}")
        if work.beside() != beside:
            raise SystemExit(f"{told}: left {sorted(work.beside() - beside)} beside")
        if action == "export" and work.files() not in ({}, expected):
            raise SystemExit(f"{told}: left half an export, {sorted(work.files())}")
        again(work, action)
        if work.files() != expected:
            differ = sorted(k for k, v in work.files().items() if expected.get(k) != v)
            raise SystemExit(f"{told}: other files than undisturbed: {differ}")
    return counts


def again(work: Work, action: str) -> None:
    """The same command again; what was done before changes nothing, but is tidied up after."""
    if action in ("audit", "evaluate", "export"):
        shutil.rmtree(work.out, ignore_errors=True)
    work.run(work.command(action))


ACTIONS: tuple[str, ...] = (
    "build", "add", "remove", "compact", "audit", "evaluate", "verify", "export"
)  # fmt: skip
Attack = Callable[[Work, str, int, random.Random], Counter[str]]


def main() -> None:
    """Interrupts each action."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default=",".join(ACTIONS))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = Work(Path(folder))
        for action in options.only.split(","):
            found = attack(work, action, options.rounds, random.Random(options.seed))
            print(action, dict(found), "each as it should be", flush=True)


if __name__ == "__main__":
    main()
