"""Cached image embeddings, and audits of indexes that store less than float32."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import make_images
from toy_backend import ToyBackend
from toy_world import votes_of

from idia_index import build_index, open_index
from idia_index.encode.image_cache import FILE, SWITCH
from idia_index.pipelines.compact import compact
from idia_index.pipelines.verify import verify
from idia_index.prompts.packed_names import NameList
from idia_index.prompts.templates import JAIR2024
from idia_index.subjects.subjects import make_subject


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    counts: list[int] = []
    plain = ToyBackend.embed_images
    monkeypatch.setattr(
        ToyBackend, "embed_images", lambda self, i: counts.append(len(i)) or plain(self, i)
    )
    return counts


def test_a_repeated_query_encodes_nothing(
    tmp_path: Path, toy: ToyBackend, names: NameList, encoded: list[int]
) -> None:
    index = build_index(tmp_path / "i", toy, names, JAIR2024[:2])
    subject = make_subject(names[0], [make_images(tmp_path / "photos", 40)])
    first = votes_of(index, toy, [subject])
    again = votes_of(open_index(tmp_path / "i"), toy, [subject])
    assert sum(encoded) == 40
    assert (first.subjects[0].similarities == again.subjects[0].similarities).all()
    # A file that changed is another image; the same content elsewhere is the same one.
    photo = tmp_path / "photos" / "00.png"
    (tmp_path / "photos" / "copy.png").write_bytes(photo.read_bytes())
    make_images(tmp_path / "photos", 1, seed=9)
    votes_of(index, toy, [make_subject(names[0], [tmp_path / "photos"])])
    assert sum(encoded) == 41
    votes_of(index, ToyBackend(model="toy", device=None), [subject])
    assert sum(encoded) == 41


def test_damage_costs_time_and_nothing_else(
    tmp_path: Path, toy: ToyBackend, names: NameList, encoded: list[int]
) -> None:
    index = build_index(tmp_path / "i", toy, names, JAIR2024[:2])
    subject = make_subject(names[0], [make_images(tmp_path / "photos", 5)])
    first = votes_of(index, toy, [subject])
    file = tmp_path / "i" / FILE
    assert file.stat().st_mode & 0o077 == 0
    data = bytearray(file.read_bytes())
    data[40] ^= 1
    file.write_bytes(data)
    assert [f.file for f in verify(tmp_path / "i", toy)] == [FILE]
    again = votes_of(index, toy, [subject])
    assert sum(encoded) == 5 + 1
    assert (first.subjects[0].similarities == again.subjects[0].similarities).all()
    data[40] ^= 1
    file.write_bytes(data[:-3])
    votes_of(index, toy, [subject])
    assert verify(tmp_path / "i", toy) == []
    compact(tmp_path / "i")
    assert not file.exists()


@pytest.mark.parametrize("switch", ["off", "0", "No", "none"])
def test_nothing_is_remembered_where_it_is_switched_off(
    switch: str, tmp_path: Path, toy: ToyBackend, names: NameList, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SWITCH, switch)
    index = build_index(tmp_path / "i", toy, names, JAIR2024[:2])
    votes_of(index, toy, [make_subject(names[0], [make_images(tmp_path / "photos", 5)])])
    assert not (tmp_path / "i" / FILE).exists()


@pytest.mark.slow
def test_an_audit_decides_as_with_float32(tmp_path: Path, toy: ToyBackend, names: NameList) -> None:
    subjects = [
        make_subject(name, [make_images(tmp_path / f"photos{i}", 9, seed=i)])
        for i, name in enumerate([names[4], names[9], "Somebody Else"])
    ]
    exact = votes_of(build_index(tmp_path / "f", toy, names), toy, subjects)
    rounded = votes_of(build_index(tmp_path / "r", toy, names, index_type="float16"), toy, subjects)
    for mine, other in zip(rounded.subjects, exact.subjects, strict=True):
        assert (mine.predictions == other.predictions).all()
        assert mine.decision == other.decision
    view = open_index(tmp_path / "r").deciding_with(toy)
    queries = np.random.default_rng(0).standard_normal((20, 16)).astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    similarities, ids = view.search(queries, 5)
    expected = open_index(tmp_path / "f").search(queries, 5)
    assert (ids[:, :, 0] == expected[1][:, :, 0]).all()
    assert (np.diff(similarities, axis=2) <= 0).all()
    assert all(len(set(row)) == 5 for row in ids.reshape(-1, 5).tolist())
