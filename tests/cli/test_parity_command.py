"""The command that compares backends, on an index built with an export."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import make_images

from idia_index.cli.main import run as run_command
from idia_index.study import MODEL_DIR, ONNX_DIR

pytest.importorskip("onnxruntime")
pytest.importorskip("faiss")


def run(*arguments: object) -> int:
    return run_command([str(argument) for argument in arguments], debug=False)


@pytest.fixture
def people(tmp_path: Path) -> Path:
    for seed, name in enumerate(("Jerry_Taylor", "Amy_Shaw", "Some_Body")):
        make_images(tmp_path / "people" / name, 2, seed)
    return tmp_path / "people"


@pytest.fixture
def of_an_export(tmp_path: Path) -> Path:
    """An index that was built from an export."""
    (tmp_path / "names.txt").write_text("Jerry Taylor\nAmy Shaw\nDenise Berry\n")
    build = ("build", tmp_path / "i", "--model", ONNX_DIR, "--names", tmp_path / "names.txt")
    assert run(*build) == 0
    return tmp_path / "i"


def test_an_index_of_an_export_asks_for_the_model_before_anything_is_loaded(
    of_an_export: Path,
    people: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a model was loaded")

    monkeypatch.setattr("idia_index.cli.parity.load_model", refuse)
    for arguments, told in (
        ((of_an_export, ONNX_DIR, people), "--model SPEC"),
        ((of_an_export, ONNX_DIR, people, "--model", ONNX_DIR), "name that model"),
        ((ONNX_DIR, ONNX_DIR, people), "name that model"),
        (("ViT-B-32/openai", ONNX_DIR, people, "--model", "a/b"), "is already a model"),
    ):
        capsys.readouterr()
        assert run("parity", *arguments) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.count("\n") == 1 and told in err and "--backend" not in err


def test_an_index_of_an_export_is_compared_with_the_model_that_is_named(
    of_an_export: Path, people: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("open_clip")
    capsys.readouterr()
    model = f"local-dir:{MODEL_DIR}"
    assert run("parity", of_an_export, ONNX_DIR, people, "--model", model, "--json") == 0
    data = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in data["backends"]] == ["open_clip", "onnx"]
    assert data["tokens"]["differ"] == 0 and data["decisions"]["compared"] == 3
