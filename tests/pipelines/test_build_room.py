"""A build that does not fit on the disk is refused before any work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from toy_backend import DIM, ToyBackend

import idia_index.pipelines.build
from idia_index import build_index
from idia_index.cli.main import run as run_command
from idia_index.errors import InputError
from idia_index.prompts.packed_names import NameList
from idia_index.prompts.templates import JAIR2024
from idia_index.support.files import free_bytes


def have(monkeypatch: pytest.MonkeyPatch, room: int | None) -> None:
    monkeypatch.setattr(idia_index.pipelines.build, "free_bytes", lambda path: room)


def refuse(*_: object, **__: object) -> Any:
    raise AssertionError("it was begun")


def test_an_index_that_cannot_fit_is_refused_before_a_prompt_is_looked_at(
    tmp_path: Path, toy: ToyBackend, names: NameList, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ToyBackend, "embed_texts", refuse)
    have(monkeypatch, 40 * len(JAIR2024) * DIM * 4)  # no room for what finds names
    with pytest.raises(
        InputError, match=r"i: 40 names x 21 templates as index type 'flat' need at least"
    ):
        build_index(tmp_path / "i", toy, names)
    assert not (tmp_path / "i").exists()
    monkeypatch.undo()
    have(monkeypatch, 40 * len(JAIR2024) * DIM * 3)
    assert len(build_index(tmp_path / "i", toy, names, index_type="float16")) == 40
    have(monkeypatch, None)  # nobody can say
    assert len(build_index(tmp_path / "j", toy, names)) == 40


def test_what_a_build_wrote_before_is_room(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "not" / "there")
    for attempt in range(20):  # the disk is others' too, who write and free as they please
        index = tmp_path / f"i{attempt}"
        there = free_bytes(tmp_path)
        index.mkdir()
        empty = free_bytes(index)
        (index / "000000.faiss").write_bytes(bytes(1 << 26))
        grown = free_bytes(index)
        assert there and empty and grown
        if abs(grown - empty) < 1 << 25 and abs(there - empty) < 1 << 25:
            break
    else:
        pytest.fail("what was written is not counted as room")
    (tmp_path / "file").touch()
    assert free_bytes(tmp_path / "file") is None


@pytest.mark.usefixtures("toy_plugin")
def test_no_name_is_drawn_for_an_index_that_cannot_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    have(monkeypatch, 1 << 30)
    monkeypatch.setattr("idia_index.cli.build.all_candidates", refuse)
    build = ["build", str(tmp_path / "i"), "--backend", "toy", "--model", "toy"]
    assert run_command([*build, "--sample-names", "100000000"], debug=False) == 2
    err = capsys.readouterr().err
    assert "100,000,000 names x 21 templates as index type 'flat' need at least 136.0 GB" in err
    assert "only 1.1 GB are free" in err and not (tmp_path / "i").exists()


def test_names_whose_prompts_were_looked_at_are_counted(
    tmp_path: Path, toy: ToyBackend, names: NameList, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idia_index.pipelines.build, "SHARD_BYTES", len(JAIR2024) * DIM * 4 * 15)
    seen: list[tuple[int, int]] = []
    build_index(tmp_path / "i", toy, names, checking=lambda *done: seen.append(done))
    assert seen == [(15, 40), (30, 40)]


@pytest.mark.usefixtures("toy_plugin")
def test_many_names_are_announced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("idia_index.cli.build.MANY", 50)
    monkeypatch.setattr(idia_index.pipelines.build, "SHARD_BYTES", len(JAIR2024) * DIM * 4 * 20)
    build = ["build", str(tmp_path / "i"), "--backend", "toy", "--model", "toy"]
    assert run_command([*build, "--sample-names", "60", "--progress"], debug=False) == 0
    lines = capsys.readouterr().err.splitlines()
    (note,) = (place for place, line in enumerate(lines) if "drawing and checking 60 names" in line)
    (looking,) = (
        place for place, line in enumerate(lines) if line.startswith("checking the names")
    )
    assert note < looking


def test_the_kind_is_looked_for_before_a_model_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("idia_index.cli.build.load_model", refuse)
    build = ["build", str(tmp_path / "i"), "--model", "a/b", "--sample-names", "5"]
    assert run_command([*build, "--index", "nokind"], debug=False) == 2
    assert "no index type is called 'nokind'" in capsys.readouterr().err
