"""A full disk, on the command line: one error, and everything as before."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import pytest

pytest.importorskip("onnxruntime")

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks" / "fuzz"))
from forked import told
from interrupts import CLI, Work

from idia_index.cli.main import run
from idia_index.pipelines.verify import verify
from idia_index.study import MODEL_DIR


class Forking(Work):
    """Runs its commands in forks of this process."""

    def run(self, command: list[str]) -> None:
        assert told(command[len(CLI) :])[0] == 0


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Work:
    return Forking(tmp_path_factory.mktemp("work"))


# `add` is in test_grow_interrupted.py, for every kind and limit.
@pytest.mark.parametrize(
    ("action", "room", "file"),
    [
        ("build", 3000, "index/000000.faiss"),
        ("remove", 100, "index/manifest.json"),
        ("compact", 3000, "index/000003.faiss"),
        ("audit", 30000, "out/index.html"),
    ],
)
def test_no_room(action: str, room: int, file: str, work: Work) -> None:
    work.start(action)
    before = work.state()
    line = refused_for_room(work.command(action), room)
    assert f"{work.folder / file}: cannot be written (File too large)" in line
    assert work.state() == before
    work.run(work.command(action))  # with room, it goes on


# Where the shard is encoded again, and where only the manifest is too long.
@pytest.mark.parametrize(
    ("damaged", "file"),
    [("000000.faiss", "000004.faiss"), ("000001.keys", "manifest.json")],
)
def test_no_room_to_repair(damaged: str, file: str, work: Work) -> None:
    work.start("add")
    work.run(work.command("add"))
    with (work.index / damaged).open("r+b") as opened:
        opened.write(b"damage")
    before = work.files()
    repair = [*CLI, "repair", str(work.index)]
    line = refused_for_room(repair, 3000)
    assert f"{work.index / file}: cannot be written (File too large)" in line
    after = work.files()
    assert {name: after.get(name) for name in before} == before
    # What it was about is noted, so that the next try goes on.
    assert all(n.startswith(("old-", "000004.", "pending.")) for n in after.keys() - before)
    assert not any(name.endswith(".part") for name in after)
    assert [finding.file for finding in verify(work.index)] == [damaged]
    work.run(repair)
    assert verify(work.index) == []


# In the tokenizer's merges, and in the weights, where NumPy writes.
@pytest.mark.parametrize(("room", "why"), [(20_000, "File too large"), (600_000, "no room for")])
def test_no_room_for_an_export(
    room: int,
    why: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In this process, which has imported PyTorch."""
    pytest.importorskip("onnxscript")
    pytest.importorskip("open_clip")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, usual[1]))
    try:
        code = run(["export", "--model", f"local-dir:{MODEL_DIR}", str(tmp_path / "out")], False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    (line,) = errors_of(capsys.readouterr().err)
    assert code == 2 and f"{tmp_path / 'out'}: cannot be written ({why}" in line
    assert list(tmp_path.iterdir()) == []


def refused_for_room(command: list[str], room: int) -> str:
    """The line that a command says where no file can have more than `room` bytes."""

    def limit() -> None:
        sys.dont_write_bytecode = True  # it, too, would be cut off there, and stay
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    code, said = told(command[len(CLI) :], limit)
    (line,) = errors_of(said)
    assert code == 2
    return line


def errors_of(told: str) -> list[str]:
    """The lines that neither note anything nor say which model was loaded."""
    others = ("onnx on ", "open_clip on ", "note: ")
    return [line for line in told.splitlines() if not line.startswith(others)]
