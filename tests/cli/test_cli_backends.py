"""The backend that the command line picks if none is named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from conftest import make_images

from idia_index.cli.main import run as run_command
from idia_index.search.open import open_index
from idia_index.study import MODEL_DIR, ONNX_DIR


def run(*arguments: object) -> int:
    return run_command([str(argument) for argument in arguments], False)


@pytest.mark.parametrize(
    ("model", "name", "other", "others_name"),
    [
        (ONNX_DIR, "onnx", f"local-dir:{MODEL_DIR}", "open_clip"),
        (f"local-dir:{MODEL_DIR}", "open_clip", ONNX_DIR, "onnx"),
    ],
)
def test_the_model_says_which_backend_it_is_for(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    model: object,
    name: str,
    other: object,
    others_name: str,
) -> None:
    pytest.importorskip("open_clip")
    names, photos = tmp_path / "names.txt", make_images(tmp_path / "photos", 2)
    names.write_text("Jane Doe\nJohn Roe\n")
    assert run("build", tmp_path / "i", "--model", model, "--names", names) == 0
    assert open_index(tmp_path / "i").manifest.plan.backend == name
    used = []
    for options in ((), ("--model", other)):
        capsys.readouterr()
        query = ("query", tmp_path / "i", photos, "--name", "Jane Doe", "--json", *options)
        assert run(*query) == 0
        used.append(json.loads(capsys.readouterr().out)["backend"]["name"])
    assert used == [name, others_name]


def test_a_model_that_moved_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names, photos = tmp_path / "names.txt", make_images(tmp_path / "photos", 2)
    names.write_text("Jane Doe\nJohn Roe\n")
    here = shutil.copytree(ONNX_DIR, tmp_path / "here")
    assert run("build", tmp_path / "i", "--model", here, "--names", names) == 0
    moved = here.rename(tmp_path / "moved")
    query = ("query", tmp_path / "i", photos, "--name", "Jane Doe", "--json")
    assert run(*query) == 2
    assert "if it has moved, pass its new SPEC with --model" in capsys.readouterr().err
    assert run(*query, "--model", moved) == 0
