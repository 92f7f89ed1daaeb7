"""Many processes on one index, interrupts, clock jumps: every outcome is a documented one."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from multiprocessing.synchronize import Semaphore
from pathlib import Path

import pytest
from forked import FORK, begun
from growing_index import answer, base, grow, steps

import idia_index.pipelines.build
from idia_index.pipelines.verify import verify

ROOT = Path(__file__).parents[2]
READERS = 8


def read(path: Path, stop: Path, ready: Semaphore, out: Path) -> None:
    """Asks an index again and again, and once more when it is told to stop."""
    seen, last = [answer(path)], False
    ready.release()
    while not last:
        last = stop.exists()
        seen.append(answer(path))
    out.write_text("\n".join(seen))


@pytest.fixture(autouse=True)
def _shards_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        idia_index.pipelines.build, "SHARD_BYTES", idia_index.pipelines.build.SHARD_BYTES
    )


def test_readers_see_one_state_or_another_while_it_grows(tmp_path: Path) -> None:
    path, copy = base(tmp_path / "i"), tmp_path / "copy"
    shutil.copytree(path, copy)
    states = [answer(copy)]
    for step in steps():
        step(copy)
        states.append(answer(copy))
    ready, stop = FORK.Semaphore(0), tmp_path / "stop"
    outs = [tmp_path / f"seen by {number}" for number in range(READERS)]
    readers = [begun(read, path, stop, ready, out) for out in outs]
    for _ in readers:
        assert ready.acquire(timeout=60)
    grow(str(path))
    stop.touch()
    seen = []
    for process, out in zip(readers, outs, strict=True):
        process.join()
        assert process.exitcode == 0
        lines = [states.index(line) for line in out.read_text().splitlines()]
        assert lines == sorted(lines)  # no reader ever sees an older state again
        seen += lines
    assert {0, len(states) - 1} <= set(seen)
    assert answer(path) == states[-1] and verify(path) == []


def test_of_two_writers_the_second_is_told_to_wait(tmp_path: Path) -> None:
    path = base(tmp_path / "i")
    hold = (
        "import sys; from idia_index.support.locks import writer_lock; from pathlib import Path\n"
        "with writer_lock(Path(sys.argv[1]) / 'lock'):\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    first = subprocess.Popen([sys.executable, "-c", hold, str(path)], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True)  # fmt: skip
    assert first.stdout is not None and first.stdout.readline() == "held\n"
    command = [sys.executable, "-m", "idia_index", "compact", str(path)]
    second = subprocess.run(command, capture_output=True, text=True)
    assert second.returncode == 2 and second.stderr.count("\n") == 1
    assert "another process is writing this index; wait until it is done" in second.stderr
    assert json.loads(answer(path))  # readers need not wait
    first.kill()  # a process that dies lets go
    first.wait()
    assert subprocess.run(command, capture_output=True).returncode == 0


def test_interrupts_at_random_moments() -> None:
    """A few of them; the benchmark interrupts each command thirty times."""
    pytest.importorskip("onnxruntime")
    script = ROOT / "benchmarks" / "fuzz" / "interrupts.py"
    command = [sys.executable, str(script), "--rounds", "2", "--only", "build,add"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.count("each as it should be") == 2, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("moment", [0, 2**33])
def test_file_times_mean_nothing(moment: int, tmp_path: Path) -> None:
    """A clock that is wrong, or jumps between two writes, shows in nothing but file times."""
    path = base(tmp_path / "i")
    expected = base(tmp_path / "other")
    for number, step in enumerate(steps()):
        for file in path.iterdir():
            os.utime(file, (moment - number, moment - number))
        step(path)
        step(expected)
        assert answer(path) == answer(expected) and verify(path) == []
    inside = [{p.name: p.read_bytes() for p in f.iterdir()} for f in (path, expected)]
    assert inside[0] == inside[1]


# A hosted service tells dates (Retry-After), and a report says when it last answered alike.
ASKING_OTHERS = {"http_client.py", "http_identity.py"}


def test_nothing_reads_the_clock_or_compares_file_times() -> None:
    """`monotonic` alone, for progress; times of weight files only to see that they changed."""
    found = set()
    for folder in ("idia_index", "backends", "indexes", "cli"):
        for file in (ROOT / folder).rglob("*.py"):
            if file.name in ASKING_OTHERS:
                continue
            text = file.read_text(encoding="utf-8")
            for node in ast.walk(ast.parse(text if "time" in text else "")):
                if isinstance(node, ast.Attribute) and (
                    ast.unparse(node.value) == "time" or "time" in node.attr.split("_")
                ):
                    found.add((file.name, node.attr))
                if isinstance(node, ast.Import | ast.ImportFrom):
                    names = [getattr(node, "module", ""), *(alias.name for alias in node.names)]
                    assert "datetime" not in names, file
    assert {name for _, name in found if not name.startswith("st_")} == {"monotonic"}
    assert {file for file, name in found if name.startswith("st_")} <= {"weights_hash.py"}
