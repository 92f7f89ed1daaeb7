"""Misspelt names: near by letters, whatever the photos show."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import make_images
from toy_backend import ToyBackend

from idia_index import build_index
from idia_index.cli.main import run
from idia_index.prompts.names import make_names
from idia_index.prompts.spelling import misspelt

NAMES = ["Jane Doe", "Jane Roe", "Renée Müller", "Ng Wei", "Conan O'Brien"]


def distance(one: str, other: str) -> int:
    """Levenshtein's, by the book."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        last, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            last, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, last + (a != b))
    return row[-1]


def test_the_nearest_are_those_of_the_smallest_edit_distance() -> None:
    found = misspelt(["Jane Doo", "Renée Mueller", "Conan OBrien", "jane  DOE", "Xu Xu"], NAMES)
    assert list(found) == ["Jane Doo", "Renée Mueller", "Conan OBrien"]
    for name, near in found.items():
        assert near[0] == min(NAMES, key=lambda each: distance(name, each))
    assert misspelt(["Jane Doo"], [f"Jane Doe{n}" for n in range(200_001)]) == {}


@pytest.mark.usefixtures("toy_plugin")
def test_query_and_audit_warn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build_index(tmp_path / "i", ToyBackend(model="toy"), make_names(NAMES))
    make_images(tmp_path / "people" / "Jane_Doo", 3)
    make_images(tmp_path / "people" / "Ng_Wei", 3)
    photos = tmp_path / "people" / "Jane_Doo"
    for command in (
        ["query", tmp_path / "i", photos, "--name", "Jane Doo"],
        ["audit", tmp_path / "i", tmp_path / "people"],
    ):
        capsys.readouterr()
        assert run([str(each) for each in command], debug=False) == 0
        told = capsys.readouterr().err
        assert "warning: 'Jane Doo' is not among the model's 5 candidate names" in told
        assert "nearly the same are: 'Jane Doe'." in told and "'Ng Wei' is not" not in told
