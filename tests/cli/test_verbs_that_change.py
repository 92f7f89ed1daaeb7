"""build, add, remove, compact and repair: their documents, notes and early checks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import idia_index.registry
from idia_index import open_index
from idia_index.cli.main import run
from idia_index.registry import BACKENDS

pytestmark = pytest.mark.usefixtures("toy_plugin")

TOY = ("--backend", "toy", "--model", "toy")


def document(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    capsys.readouterr()
    assert run([str(argument) for argument in (*arguments, "--json")], False) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_each_answers_with_one_document_that_is_true(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names, index = tmp_path / "names.txt", tmp_path / "i"
    names.write_text("Jane Doe\nAdam Low\nEva Noor\n")
    build = ("build", index, *TOY, "--names", names, "--resume")
    built = document(capsys, *build)
    assert (built["candidates"], built["templates"], built["index_type"]) == (3, 21, "flat")
    assert not built["finished_before"] and document(capsys, *build)["finished_before"]
    names.write_text("Ida Berg\nJane Doe\n")
    added = document(capsys, "add", index, "--names", names)
    assert (added["names_added"], added["there_already"]) == (1, ["Jane Doe"])
    assert added["candidates"] == len(open_index(index)) == 4
    names.write_text("Adam Low\nNobody Here\n")
    removed = document(capsys, "remove", index, "--names", names)
    assert (removed["removed"], removed["not_there"]) == (1, ["Nobody Here"])
    assert removed["candidates"] == 3 and removed["on_disk_still"] == 1
    before = sum(file.stat().st_size for file in index.iterdir())
    compacted = document(capsys, "compact", index)
    assert compacted["removed"] == 1 and list(open_index(index).names) == [
        "Jane Doe", "Eva Noor", "Ida Berg"
    ]  # fmt: skip
    assert sum(file.stat().st_size for file in index.iterdir()) < before
    shard = max(index.glob("*.faiss"))
    shard.write_bytes(shard.read_bytes()[:-4])
    repaired = document(capsys, "repair", index)
    assert [found["file"] for found in repaired["findings"]] == [shard.name]
    assert document(capsys, "repair", index)["findings"] == []


def test_add_notes_of_names_what_build_notes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = tmp_path / "odd.txt"
    odd.write_text("Jane_Doe\nAdam Low\nadam low\nEva <Noor>\n")
    (tmp_path / "names.txt").write_text("Ida Berg\n")
    assert run(["build", str(tmp_path / "b"), *TOY, "--names", str(odd)], False) == 0
    built = [line for line in capsys.readouterr().err.splitlines() if str(odd) in line]
    build = ["build", str(tmp_path / "a"), *TOY, "--names", str(tmp_path / "names.txt")]
    assert run(build, False) == 0
    capsys.readouterr()
    assert run(["add", str(tmp_path / "a"), "--names", str(odd)], False) == 0
    added = [line for line in capsys.readouterr().err.splitlines() if str(odd) in line]
    assert added == built and len(built) == 3


@pytest.mark.parametrize(
    "arguments",
    [
        ("build", "there", *TOY, "--names", "names.txt"),
        ("build", "busy", *TOY, "--names", "names.txt"),
        ("build", "new", *TOY, "--names", "gone.txt"),
        ("build", "new", *TOY, "--names", "names.txt", "--templates", "names.txt"),
        ("build", "new", *TOY, "--names", "names.txt", "--index", "nope"),
        ("add", "there", "--names", "gone.txt"),
        ("add", "gone", "--names", "names.txt"),
        ("repair", "gone"),
    ],
)
def test_what_needs_no_model_is_asked_before_one_is_loaded(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("names.txt").write_text("Ida Berg\n")
    Path("busy").mkdir()
    Path("busy/photo.jpg").write_bytes(b"")
    assert run(["build", "there", *TOY, "--names", "names.txt"], False) == 0
    plain = idia_index.registry.load_plugin

    def load(group: str, name: str) -> Any:
        assert group != BACKENDS, "a model was loaded"
        return plain(group, name)

    monkeypatch.setattr(idia_index.registry, "load_plugin", load)
    assert run(list(arguments), False) == 2
