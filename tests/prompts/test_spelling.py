"""Misspelt names: near by letters, never by photos."""

from __future__ import annotations

import html
import json
from functools import cache
from pathlib import Path

import pytest
from conftest import make_images
from hypothesis import given
from hypothesis import strategies as st
from toy_backend import ToyBackend

from idia_index import build_index
from idia_index.cli.main import run
from idia_index.prompts.names import make_names
from idia_index.prompts.spelling import edits, misspelt
from idia_index.subjects.candidates import near_names

NAMES = ["Jane Doe", "Jane Roe", "Renée Müller", "Ng Wei", "Conan O'Brien"]


@cache
def distance(one: str, other: str) -> int:
    """Optimal string alignment, by its recursive definition."""
    if not one or not other:
        return len(one) + len(other)
    best = min(
        distance(one[:-1], other) + 1,
        distance(one, other[:-1]) + 1,
        distance(one[:-1], other[:-1]) + (one[-1] != other[-1]),
    )
    if len(one) > 1 and len(other) > 1 and one[-2:] == other[:-3:-1]:
        best = min(best, distance(one[:-2], other[:-2]) + 1)
    return best


@given(st.text("abé", max_size=9), st.text("abé", max_size=9))
def test_edits_are_those_of_the_definition(one: str, other: str) -> None:
    assert edits(one, other) == distance(one, other)


def test_the_nearest_are_all_at_the_smallest_distance_and_none_is_far() -> None:
    wanted = ["Jane Zoe", "Jnae Doe", "Renée Mueller", "Conan OBrien", "jane  DOE", "Xu Xu"]
    assert misspelt(wanted, NAMES) == {
        "Jane Zoe": ("Jane Doe", "Jane Roe"),
        "Jnae Doe": ("Jane Doe",),
        "Renée Mueller": ("Renée Müller",),
        "Conan OBrien": ("Conan O'Brien",),
    }


@pytest.mark.slow
@given(st.text("abcdefgh", min_size=4, max_size=14), st.data())
def test_no_near_name_is_missed(name: str, data: st.DataObject) -> None:
    changed = st.integers(0, len(name) - 1).flatmap(
        lambda at: st.sampled_from(
            [
                name[:at] + name[at + 1 :],
                name[:at] + "z" + name[at:],
                name[:at] + "z" + name[at + 1 :],
            ]
        )
    )
    others = data.draw(st.lists(changed | st.text("abcdefgh", min_size=4), min_size=1, unique=True))
    most = 2 if len(name) >= 12 else 1
    smallest = min(distance(name, each) for each in others)
    near = tuple(sorted(each for each in others if distance(name, each) == smallest))
    found = misspelt([name], others)
    assert found == ({name: near} if 0 < smallest <= most else {})


def test_more_than_can_be_compared_is_not_looked_for() -> None:
    assert misspelt([f"Some {n}" for n in range(8000)], [f"Jane {n}" for n in range(8000)]) is None


@pytest.mark.slow
@pytest.mark.usefixtures("toy_plugin")
def test_query_audit_and_report_say_what_a_name_may_be_misspelt_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build_index(tmp_path / "i", ToyBackend(model="toy"), make_names(NAMES))
    # The photos are of no matter: both people have the same noise.
    for name in ("Jane_Zoe", "Ng_Wei", "Alan_Poe"):
        make_images(tmp_path / "people" / name, 3)
    photos, out = tmp_path / "people" / "Jane_Zoe", tmp_path / "out"
    for command in (
        ["query", tmp_path / "i", photos, "--name", "Jane Zoe", "--json"],
        ["audit", tmp_path / "i", tmp_path / "people", "--json"],
        ["audit", tmp_path / "i", tmp_path / "people", "--out", out, "--json"],
    ):
        capsys.readouterr()
        assert run([str(each) for each in command], debug=False) == 0
        told = capsys.readouterr()
        assert "warning: 'Jane Zoe' is not among the model's 5 candidate names" in told.err
        assert "nearly the same are: 'Jane Doe', 'Jane Roe'." in told.err
        assert "'Ng Wei' is not" not in told.err
        found = json.loads(told.out)
        near = {each["name"]: each["near_names"] for each in found["subjects"]}
        assert near.pop("Jane Zoe") == ["Jane Doe", "Jane Roe"]
        assert all(each == [] for each in near.values())
        assert any("'Jane Zoe' ('Jane Doe', 'Jane Roe')" in note for note in found["notes"])
    assert json.loads((out / "report.json").read_text())["subjects"][0]["near_names"] is not None
    assert "('Jane Doe', 'Jane Roe')" in html.unescape((out / "index.html").read_text())
    again = tmp_path / "again"
    sizes = ["--sample-sizes", "1,3", "--min-images", "3"]
    assert run(["evaluate", "--from", str(out), "--out", str(again), *sizes], debug=False) == 0
    kept = json.loads((again / "report.json").read_text())["subjects"]
    assert {each["name"]: len(each["near_names"]) for each in kept}["Jane Zoe"] == 2
    assert run(["replay", str(out)], debug=False) == 0


def test_candidates_are_gone_through_once_for_a_name(
    tmp_path: Path, toy: ToyBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = build_index(tmp_path / "i", toy, make_names(["Jane Doe", "John Roe"]))
    asked: list[list[str]] = []

    def watched(names: list[str], candidates: list[str]) -> object:
        asked.append(list(names))
        return misspelt(names, candidates)

    monkeypatch.setattr("idia_index.subjects.candidates.misspelt", watched)
    first = near_names(index, ["Jane Dow", "John Roe"])
    again = near_names(index.deciding_with(toy), ["Jane Dow", "Jon Roe"])
    assert first == {"Jane Dow": ("Jane Doe",), "John Roe": ()}
    assert again == {"Jane Dow": ("Jane Doe",), "Jon Roe": ("John Roe",)}
    assert asked == [["Jane Dow"], ["Jon Roe"]]
