"""A name that exceeds the context length is left out; the build or addition goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("open_clip")
import open_clip_helper as helper
from conftest import make_images

from idia_index import open_index
from idia_index.cli.main import run as run_command

LONG = "Wolfe" + "schlegelsteinhausenbergerdorff" * 12
NAMES = ["Jane Doe", LONG, "John Roe", "Ann " + LONG, "Max Moe"]


def run(*arguments: object) -> int:
    return run_command([str(argument) for argument in arguments], False)


def names_of(path: Path) -> list[str]:
    index = open_index(path)
    try:
        return [index.name(i) for i in range(len(index))]
    finally:
        index.close()


@pytest.fixture(params=["packs", "whole texts"])
def model(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A causal tower, and CoCa's, which takes whole texts."""
    cfg = helper.config()
    if request.param == "whole texts":
        cfg = helper.config({"context_length": 76, "embed_cls": True}, custom_text=True)
    folder = tmp_path / "model"
    helper.save_folder(folder, cfg, helper.build(cfg))
    return f"local-dir:{folder}"


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_build_and_add_go_on_without_them(
    more: tuple[str, ...], model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "first.txt", tmp_path / "second.txt"
    first.write_text("\n".join(NAMES))
    second.write_text("\n".join([LONG + "a", "Eve Low"]))
    index = tmp_path / "i"
    assert run("build", index, "--model", model, "--names", first, *more) == 0
    out, err = capsys.readouterr()
    told = [line for line in err.splitlines() if line.startswith("warning: left out: ")]
    assert ["line 2" in told[0], "line 4" in told[1], len(told)] == [True, True, 2]
    assert all("context length" in line or "tokens" in line for line in told)
    if more:
        assert json.loads(out)["candidates"] == 3
    assert names_of(index) == ["Jane Doe", "John Roe", "Max Moe"]
    assert run("verify", index) == 0
    capsys.readouterr()
    assert run("add", index, "--names", second, *more) == 0
    out, err = capsys.readouterr()
    assert err.count("warning: left out: ") == 1 and "line 1" in err
    assert names_of(index) == ["Jane Doe", "John Roe", "Max Moe", "Eve Low"]
    assert run("verify", index) == 0


def test_strict_makes_them_an_error(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names, index = tmp_path / "names.txt", tmp_path / "i"
    names.write_text("\n".join(NAMES))
    assert run("build", index, "--model", model, "--names", names, "--strict") == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert "Wolfeschlegel" in line and "shorten the name or the template" in line
    assert not index.exists()
    names.write_text("Jane Doe\n")
    assert run("build", index, "--model", model, "--names", names) == 0
    names.write_text(f"John Roe\n{LONG}\n")
    assert run("add", index, "--names", names, "--strict") == 2
    assert names_of(index) == ["Jane Doe"]


def test_a_list_of_nothing_else_is_an_error(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "names.txt").write_text(f"{LONG}\n")
    assert run("build", tmp_path / "i", "--model", model, "--names", tmp_path / "names.txt") == 2
    assert "shorten the name" in capsys.readouterr().err


@pytest.mark.slow
def test_a_comparison_goes_on_without_a_name_that_one_of_two_models_cannot_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = []
    for number, length in enumerate((77, 24)):
        cfg = helper.config({"context_length": length})
        helper.save_folder(tmp_path / str(number), cfg, helper.build(cfg, number))
        models.append(f"local-dir:{tmp_path / str(number)}")
    between = "Ann " + "Bo " * 20 + "Lee"  # which the first model can read
    names = [*NAMES[:3], between, "Eve Low"]
    (tmp_path / "n.txt").write_text("\n".join(names))
    for name in ("Jane_Doe", "John_Roe", between.replace(" ", "_")):
        make_images(tmp_path / "p" / name, 1)
    arguments = ("compare", *models, tmp_path / "p", "--names", tmp_path / "n.txt", "--json")
    assert run(*arguments) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["candidates"] == 3
    told = " ".join(note for note in result["notes"] if note.startswith("left out"))
    assert "line 2: " in told and "line 4: " in told
    assert [each["name"] for each in result["people"]] == ["Jane Doe", "John Roe"]
    assert [each["name"] for each in result["skipped"]] == [between]
    assert run(*arguments, "--strict") == 2
