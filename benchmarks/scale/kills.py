"""Kills workers, raylets and the command itself with SIGKILL while a cluster builds and audits.

    python benchmarks/scale/kills.py [--kills 20] [--only build,audit] [--victims worker,...]

Three nodes on this machine, one worker each, the controlled study's model by ONNX Runtime. While a
command works, something of it is killed at random moments: workers and raylets while it goes on,
which must end as undisturbed; the command, which is then given again (`build` with --resume). What
is there at the end must be, bit for bit, what the engine `local` makes.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

from ray.cluster_utils import Cluster

from idia_index.study import ONNX_DIR, candidates, subjects, write_subjects

NODE = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}
CLI = (
    "import idia_index.pipelines.build as build\n"
    "build.SHARD_BYTES = 16 * 21 * 64 * 4\n"
    "import idia_index.subjects.subject_images as images\n"
    "images.PHOTOS = 32\n"
    "from idia_index.cli.main import main; main()"
)


def children(parent: int) -> list[int]:
    """All processes below one."""
    parents: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, rest = status.read_text().split(" (", 1)
        except OSError:
            continue
        parents.setdefault(int(rest.rsplit(") ", 1)[1].split()[1]), []).append(int(pid))
    found, todo = [], [parent]
    while todo:
        below = parents.get(todo.pop(), [])
        found += below
        todo += below
    return found


def workers(cluster: Any) -> list[int]:
    """Processes of the cluster that hold a worker of the engine."""
    found = []
    for node in cluster.list_all_nodes():
        for process in node.all_processes["raylet"]:
            for pid in children(process.process.pid):
                try:
                    title = Path(f"/proc/{pid}/cmdline").read_bytes()
                except OSError:
                    continue
                if title.startswith(b"ray::Worker"):
                    found.append(pid)
    return found


@dataclass
class Work:
    """A cluster, and a folder with names, people and what is made of them."""

    cluster: Any
    folder: Path
    random: random.Random
    command: subprocess.Popen[bytes] | None = None

    def prepare(self, names: int, people: int) -> None:
        """Names, people, and the index that is audited."""
        listed = [f"{name} {number}" for number in range(10) for name in candidates()][:names]
        (self.folder / "names.txt").write_text("\n".join(listed) + "\n")
        write_subjects(self.folder / "people", 40, chosen=subjects()[:people])
        self.start("build", "local")
        finish(self)

    def arguments(self, action: str, engine: str) -> list[str]:
        """The command of an action."""
        index = self.folder / "index"
        if action == "build":
            given = ["build", index, "--model", ONNX_DIR, "--names", self.folder / "names.txt",
                     "--resume"]  # fmt: skip
        else:
            given = ["audit", index, self.folder / "people" / "subjects.csv", "--json"]
        return [sys.executable, "-c", CLI, *map(str, given), "--engine", engine]

    def start(self, action: str, engine: str) -> None:
        """Begins it, or goes on with it."""
        with (self.folder / "out.json").open("wb") as out:
            self.command = subprocess.Popen(
                self.arguments(action, engine), stdout=out, stderr=subprocess.PIPE
            )

    def clean(self, action: str) -> None:
        """The folder as it is before an action."""
        if action == "build":
            shutil.rmtree(self.folder / "index", ignore_errors=True)
        else:
            (self.folder / "index" / "images.cache").unlink(missing_ok=True)

    def made(self, action: str) -> dict[str, bytes]:
        """What it made."""
        if action == "audit":
            return {"audit.json": (self.folder / "out.json").read_bytes()}
        index = self.folder / "index"
        return {p.name: p.read_bytes() for p in index.iterdir() if p.name != "lock"}

    def progress(self, action: str) -> int:
        """How much is done: shards that are noted, bytes of embeddings that are remembered."""
        if action == "build":
            return len(list((self.folder / "index").glob("*.shard.json")))
        cache = self.folder / "index" / "images.cache"
        return cache.stat().st_size if cache.exists() else 0

    def kill_worker(self) -> bool:
        """Whether there was one to kill."""
        found = workers(self.cluster)
        if found:
            os.kill(self.random.choice(found), signal.SIGKILL)
        return bool(found)

    def kill_raylet(self) -> bool:
        """A node that is not the head; another takes its place."""
        node = self.random.choice(sorted(self.cluster.worker_nodes, key=id))
        os.kill(node.all_processes["raylet"][0].process.pid, signal.SIGKILL)
        self.cluster.remove_node(node, allow_graceful=False)
        self.cluster.add_node(**NODE)
        return True

    def kill_command(self) -> bool:
        """The command itself."""
        assert self.command is not None
        self.command.kill()
        self.command.wait()
        return True


def attack(work: Work, action: str, kill: Callable[[], bool], kills: int) -> dict[str, int]:
    """Kills until enough was killed; whatever is made must be what `local` makes."""
    engine = f"ray:{work.cluster.address}"
    done = {"kills": 0, "runs": 0, "given again": 0}
    expected = None
    while done["kills"] < kills:
        if expected is None:
            work.clean(action)
            work.start(action, "local")
            finish(work)
            expected = work.made(action)
        work.clean(action)
        work.start(action, engine)
        done["runs"] += 1
        seen = 0
        while work.command is not None and work.command.poll() is None:
            if work.progress(action) > seen:  # since the last kill
                time.sleep(work.random.uniform(0, 1.0))
                seen = work.progress(action)
                if done["kills"] < kills and work.command.poll() is None and kill():
                    done["kills"] += 1
                    print(".", end="", flush=True)
                    if work.command.poll() == -signal.SIGKILL:
                        work.start(action, engine)
                        done["given again"] += 1
            time.sleep(0.05)
        finish(work)
        made = work.made(action)
        if made != expected:
            kept = Path(mkdtemp())
            for name in (name for name in expected if made.get(name) != expected[name]):
                (kept / f"{name}.local").write_bytes(expected[name])
                (kept / f"{name}.ray").write_bytes(made.get(name, b""))
            raise SystemExit(f"{action}: other bytes than local's, see {kept}: {done}")
    return done


def finish(work: Work) -> None:
    """Waits for the command, which must end well."""
    assert work.command is not None and work.command.stderr is not None
    _, said = work.command.communicate(timeout=300)
    if work.command.returncode:
        raise SystemExit(f"ended with {work.command.returncode}: {said.decode()}")


def main() -> None:
    """Prints a line for each action and victim."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="build,audit")
    parser.add_argument("--victims", default="worker,raylet,command")
    parser.add_argument("--names", type=int, default=4000)
    parser.add_argument("--people", type=int, default=40)
    options = parser.parse_args()
    cluster = Cluster(initialize_head=True, head_node_args=NODE)
    for _ in range(2):
        cluster.add_node(**NODE)
    try:
        with TemporaryDirectory() as folder:
            work = Work(cluster, Path(folder), random.Random(options.seed))
            work.prepare(options.names, options.people)
            for action in options.only.split(","):
                for victim in options.victims.split(","):
                    kill = getattr(work, f"kill_{victim}")
                    began = time.perf_counter()
                    done = attack(work, action, kill, options.kills)
                    told = f"{action}, {victim}: {done}, all as local made it"
                    print(told, f"({time.perf_counter() - began:.0f} s)", flush=True)
    finally:
        cluster.shutdown()


if __name__ == "__main__":
    main()
