"""The documentation's example plugin, installed and run as a reader would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import make_images

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("setuptools", "70.1")  # older ones need another package to make a wheel
    target = tmp_path_factory.mktemp("site")
    source = tmp_path_factory.mktemp("source")
    for file in (ROOT / "docs" / "example_plugin").iterdir():
        if file.is_file():
            (source / file.name).write_bytes(file.read_bytes())
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(target), str(source)], check=True)
    return target


# What takes longest to try; test_result_documents.py tries it.
WITHOUT_TORCH = (
    "-c", "import sys; sys.modules['torch'] = None; from idia_index.cli.main import main; main()"
)  # fmt: skip


def run(
    site: Path, *arguments: object, start: tuple[str, ...] = ("-m", "idia_index")
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *start, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(site)},
    )


def test_the_example_backend_is_found_like_those_in_the_tree(installed: Path) -> None:
    listed = json.loads(run(installed, "backends", "--json").stdout)["backends"]
    assert listed["example"].startswith("idia-index-example ")
    assert listed["onnx"].startswith("idia-index ")
    checks = json.loads(run(installed, "doctor", "--json", start=WITHOUT_TORCH).stdout)["checks"]
    assert [check["works"] for check in checks if check["what"] == "backend example"] == [True]


def test_backends_are_listed_without_importing_one() -> None:
    code = (
        "import sys; from idia_index.cli.main import run; assert run(['backends'], False) == 0; "
        "assert not {'torch', 'onnxruntime', 'faiss'} & sys.modules.keys(), sys.modules.keys()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "open_clip" in done.stdout and "faiss-gpu" in done.stdout
    assert "ready" not in done.stdout and "idia-index doctor" in done.stdout


def test_the_example_backend_builds_and_answers(installed: Path, tmp_path: Path) -> None:
    index = tmp_path / "i"
    done = run(
        installed, "build", index, "--backend", "example", "--model", "colours",
        "--sample-names", 50,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    images = make_images(tmp_path / "images", 3)
    done = run(installed, "query", index, images, "--name", "Jane Doe", "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["candidates"] == 51 and answer["subjects"][0]["images"] == 3


def test_its_errors_are_lines_like_ours(installed: Path, tmp_path: Path) -> None:
    done = run(
        installed, "build", tmp_path / "i", "--backend", "example", "--model", "sounds",
        "--sample-names", 5,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == "idia-index: model 'sounds' is unknown; available: colours\n"


def test_without_it_the_backend_is_not_there(tmp_path: Path) -> None:
    done = run(
        tmp_path, "build", tmp_path / "i", "--backend", "example", "--model", "colours",
        "--sample-names", 5,
    )  # fmt: skip
    assert done.returncode == 2
    assert "no backend is called 'example'; available: http, onnx, open_clip" in done.stderr
