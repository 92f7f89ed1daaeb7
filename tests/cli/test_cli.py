"""The command line: its contract, its exit codes, its one-line errors."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import make_images

import idia_index.registry
from idia_index.cli import main as cli_main
from idia_index.cli.main import VERBS
from idia_index.cli.main import run as run_command
from idia_index.registry import ENGINES, INDEXES
from idia_index.support.text import counted

pytestmark = pytest.mark.usefixtures("toy_plugin")

ROOT = Path(__file__).parents[2]


@pytest.fixture
def index(tmp_path: Path) -> Path:
    (tmp_path / "names.txt").write_text("".join(f"First{i % 7} Last{i}\n" for i in range(40)))
    arguments = ["build", tmp_path / "i", "--backend", "toy", "--model", "toy"]
    assert run(*arguments, "--names", tmp_path / "names.txt") == 0
    return tmp_path / "i"


def run(*arguments: object, debug: bool = False) -> int:
    return run_command([str(argument) for argument in arguments], debug)


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Runs a command that must be refused, and returns its one line."""
    capsys.readouterr()
    assert run(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    lines = [line for line in err.splitlines() if not line.startswith("toy on nowhere")]
    assert len(lines) == 1, err
    assert lines[0].startswith("idia-index: ")
    return lines[0]


@pytest.mark.slow
def test_audit_json_is_one_document_of_the_contract(
    index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_images(tmp_path / "people" / "First3_Last10", 5)
    make_images(tmp_path / "people" / "New_Name", 2)
    capsys.readouterr()
    assert run("audit", index, tmp_path / "people", "--json", "--progress") == 0
    data = json.loads(capsys.readouterr().out)
    assert data["format"] == "idia-index/audit/1"
    assert (data["tau"], data["candidates"], len(data["templates"])) == (1, 41, 21)
    assert data["index"]["fingerprint"]["architecture"] == "toy"
    assert data["metrics"] is None
    first = data["subjects"][0]
    assert {
        "name", "images", "correct_prompts", "inferred_member", "membership", "training_count",
        "votes",
    } <= first.keys()  # fmt: skip
    assert [vote["template"] for vote in first["votes"]] == list(range(21))
    assert set(first["votes"][0]) == {"template", "winner", "count", "tie"}


def test_query_needs_a_name_and_answers_for_it(
    index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = make_images(tmp_path / "images", 3)
    assert "Missing option '--name'" in refused(capsys, "query", index, images)
    assert run("query", index, images, "--name", "First3 Last10", "--top", "2") == 0
    text = capsys.readouterr().out
    assert "First3 Last10: " in text and "of 21 prompts" in text and "votes" in text
    assert run("query", index, images, "--name", "First3 Last10", "--json", "--top", "2") == 0
    assert len(json.loads(capsys.readouterr().out)["top"]) == 2


@pytest.mark.slow
def test_audit_writes_its_report(
    index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_images(tmp_path / "people" / "First3_Last10", 2)
    assert run("audit", index, tmp_path / "people", "--out", tmp_path / "out") == 0
    assert (tmp_path / "out" / "index.html").is_file()
    assert str(tmp_path / "out" / "index.html") in capsys.readouterr().out


def test_info_says_what_is_there(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run("info", index) == 0
    out = capsys.readouterr().out
    assert "40 names" in out and "encoded on     nowhere" in out
    assert "names from     a list; none was drawn" in out
    assert run("info", index, "--json") == 0
    data = json.loads(capsys.readouterr().out)
    assert data["candidates"] == 40 and data["template_texts"][0] == "{0}"


@pytest.mark.parametrize("verb", ["build", "study", "export", "query"])
def test_what_is_no_spec_is_refused_before_a_backend_is_imported(
    verb: str,
    index: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain = idia_index.registry.load_plugin

    def load(group: str, name: str) -> Any:
        assert group in (INDEXES, ENGINES), f"{name} was imported"
        return plain(group, name)

    monkeypatch.setattr("idia_index.registry.load_plugin", load)
    rest: dict[str, tuple[object, ...]] = {
        "build": (tmp_path / "new", "--sample-names", 5),
        "study": ("cc3m", "--images", tmp_path, "--out", tmp_path / "out"),
        "export": (tmp_path / "exported",),
        "query": (index, make_images(tmp_path / "x", 1), "--name", "A", "--backend", "open_clip"),
    }
    line = refused(capsys, verb, *rest[verb], "--model", "nope")
    assert "model 'nope' is not a model; write ARCH/PRETRAINED" in line


def test_adding_names_and_templates_leaves_nothing_behind_and_can_be_repeated(
    index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "more.txt").write_text("One More\nFirst3 Last10\n")
    (tmp_path / "t.txt").write_text("a portrait of {0}\nA photo of {name}\n")
    add = ("add", index, "--names", tmp_path / "more.txt", "--templates", tmp_path / "t.txt")
    for names, templates in ((1, 1), (0, 0)):
        capsys.readouterr()
        assert run(*add, "--backend", "toy") == 0
        out, err = capsys.readouterr()
        assert f"{counted(names, 'name')} added, now 41" in out
        assert f"{counted(templates, 'template')} added, now 22" in out
        assert "already in the index: First3 Last10" in err
        assert "already in the index: A photo of {name}" in err
        assert not list(index.glob("old-*.json"))
    assert "already in the index: a portrait of {0}" in err
    (tmp_path / "t.txt").write_text("one {0}\none {name}\n")
    assert "t.txt, line 2: template 'one {name}' repeats" in refused(capsys, *add[:2], *add[4:])


def test_sampled_names_can_be_replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build = ("build", "--backend", "toy", "--model", "toy", "--sample-names", 30, "--seed", 7)
    for place in ("a", "b"):
        assert run(*build, tmp_path / place) == 0
    texts = [(tmp_path / place / "000000.names.txt").read_text() for place in ("a", "b")]
    assert texts[0] == texts[1] and len(texts[0].splitlines()) == 30
    capsys.readouterr()
    assert run("info", tmp_path / "a") == 0
    assert ": 30 drawn with seed 7, every name equally likely" in capsys.readouterr().out


def test_resuming_what_is_done_says_so(
    index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build = ("build", index, "--backend", "toy", "--model", "toy", "--resume", "--names")
    capsys.readouterr()
    assert run(*build, tmp_path / "names.txt") == 0
    assert "already finished, 21 templates x 40 names" in capsys.readouterr().out
    (tmp_path / "other.txt").write_text("Jane Doe\n")
    assert "started with other arguments" in refused(capsys, *build, tmp_path / "other.txt")


def test_files_and_samples_go_together(index: Path, tmp_path: Path) -> None:
    arguments = ("build", tmp_path / "j", "--backend", "toy", "--model", "toy", "--names",
                 tmp_path / "names.txt", "--sample-names", 10)  # fmt: skip
    assert run(*arguments) == 0
    names = (tmp_path / "j" / "000000.names.txt").read_text().splitlines()
    assert len(names) == 50 and names[:2] == ["First0 Last0", "First1 Last1"]


def test_bad_input_is_one_line_with_exit_code_2(
    index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = make_images(tmp_path / "images", 1)
    (tmp_path / "text.jpg").write_text("no image")
    (tmp_path / "none.txt").write_text("\n\n")
    (tmp_path / "plain.txt").write_text("a photo of somebody\n")
    (tmp_path / "empty").mkdir()
    names = ("--names", tmp_path / "names.txt")
    new = ("build", tmp_path / "new", "--backend", "toy", "--model", "toy")
    cases: list[tuple[str, tuple[object, ...]]] = [
        ("no such index", ("query", tmp_path / "gone", images, "--name", "A B")),
        ("not an index", ("info", tmp_path / "empty")),
        ("text.jpg", ("query", index, tmp_path / "text.jpg", "--name", "A B")),
        ("empty: 'A B' has no image", ("query", index, tmp_path / "empty", "--name", "A B")),
        ("gone.png", ("query", index, tmp_path / "gone.png", "--name", "A B")),
        ("in quotes", ("query", index, images, "--name", "A", "Nobody-by-this-name")),
        ("name of the subject is empty", ("query", index, images, "--name", " ")),
        ("tau is 0", ("query", index, images, "--name", "A B", "--tau", 0)),
        ("tau is 22", ("audit", index, tmp_path, "--tau", 22)),
        ("holds no folders", ("audit", index, tmp_path / "empty")),
        ("another model", ("query", index, images, "--name", "A B", "--model", "toy2")),
        ("none.txt", (*new, "--names", tmp_path / "none.txt")),
        ("gone.txt", (*new, "--names", tmp_path / "gone.txt")),
        ("pass --names FILE", new),
        ("pass an even number", (*new, "--sample-names", 5, "--top", 3)),
        ("no placeholder", (*new, *names, "--templates", tmp_path / "plain.txt")),
        ("no index type is called 'hnsw9'", (*new, *names, "--index", "hnsw9")),
        ("no backend is called 'x'", ("build", tmp_path / "new", "--backend", "x", "--model", "y",
                                      *names)),
        ("already", ("build", index, "--backend", "toy", "--model", "toy", *names)),
        ("No such command 'identify'", ("identify", images)),
    ]  # fmt: skip
    for told, arguments in cases:
        assert told in refused(capsys, *arguments), arguments
    assert not (tmp_path / "new").exists()


def test_a_working_folder_that_is_gone(
    index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert "folder no longer exists" in refused(capsys, "query", index, "p", "--name", "A B")
    monkeypatch.chdir(tmp_path)


def test_an_unexpected_failure_is_one_line_unless_debugging(
    index: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(self: object) -> int:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr("idia_index.search.index.Index.path", property(broken))
    capsys.readouterr()
    assert run("info", index) == 1
    out, err = capsys.readouterr()
    assert err == "idia-index: RuntimeError: two lines (--debug shows where)\n" and out == ""
    with pytest.raises(RuntimeError):
        run("info", index, debug=True)


@pytest.mark.parametrize("place", [0, 1])
def test_debug_may_stand_anywhere(
    place: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["info", str(tmp_path / "gone")]
    arguments.insert(place, "--debug")
    monkeypatch.setattr(sys, "argv", ["idia-index", *arguments])
    # The handler would stay, and hold every later test for interrupted.
    monkeypatch.setattr("idia_index.cli.interrupts.watch", lambda: None)
    with pytest.raises(Exception, match="no such index"):
        cli_main.main()


def test_ctrl_c_is_no_traceback(
    index: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(self: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("idia_index.search.index.Index.path", property(stopped))
    assert run("info", index) == 1
    assert capsys.readouterr().err.endswith("idia-index: interrupted\n")


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(verb, "--help") == 0
    text = capsys.readouterr().out
    assert f"idia-index {verb}" in text.split("Example", 1)[1]


def test_the_command_page_is_what_the_program_says() -> None:
    made = subprocess.run(
        [sys.executable, ROOT / "docs" / "make_cli.py"], capture_output=True, text=True, check=True
    )
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == made.stdout, "run: make docs"
