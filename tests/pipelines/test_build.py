"""Building: what is written and what is refused."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import numpy as np
import pytest
from small_index import SHARD, files
from toy_backend import DIM, ToyBackend, word_vector

import idia_index.pipelines.build
from idia_index import build_index, open_index
from idia_index.errors import InputError
from idia_index.pipelines.verify import verify
from idia_index.prompts.packed_names import NameList
from idia_index.prompts.templates import JAIR2024, make_templates
from idia_index.store.manifest_json import seal


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idia_index.pipelines.build, "SHARD_BYTES", SHARD)


def test_every_row_is_the_embedding_of_its_prompt(
    tmp_path: Path, toy: ToyBackend, names: NameList
) -> None:
    index = build_index(tmp_path / "i", toy, names)
    assert len(index.manifest.shards) == 5 and len(index) == 40
    assert list(open_index(tmp_path / "i").names) == list(names)
    for template, text in enumerate(JAIR2024):
        rows = index.text_embeddings(template, range(40))
        for name, row in zip(names, rows, strict=True):
            expected = np.sum([word_vector(w) for w in text.fill(name).split()], axis=0)
            np.testing.assert_allclose(row, expected / np.linalg.norm(expected), atol=1e-6)


def test_files_are_for_their_owner_only(tmp_path: Path, toy: ToyBackend, names: NameList) -> None:
    build_index(tmp_path / "i", toy, names)
    assert stat.S_IMODE((tmp_path / "i").stat().st_mode) == 0o700
    for file in (tmp_path / "i").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, file


@pytest.mark.parametrize("index_type", ["flat", "numpy"])
def test_search_stays_within_a_template(
    tmp_path: Path, toy: ToyBackend, names: NameList, index_type: str
) -> None:
    index = build_index(tmp_path / "i", toy, names, index_type=index_type)
    queries = np.random.default_rng(0).standard_normal((9, DIM)).astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    _, found = index.search(queries, k=1)
    for template in range(len(JAIR2024)):
        rows = index.text_embeddings(template, range(40))
        assert found[template, :, 0].tolist() == (queries @ rows.T).argmax(axis=1).tolist()


def test_plain_strings_are_names(tmp_path: Path, toy: ToyBackend) -> None:
    index = build_index(tmp_path / "i", toy, ["Ann Lee", "Bob Ray", "bob ray", "Bob Ray"])
    assert list(index.names) == ["Ann Lee", "Bob Ray"]
    with pytest.raises(InputError, match="names, line 2"):
        build_index(tmp_path / "j", toy, ["Bob Ray", "Ann\nLee"])
    assert not (tmp_path / "j").exists()


def test_an_existing_index_is_not_touched(tmp_path: Path, toy: ToyBackend, names: NameList) -> None:
    build_index(tmp_path / "i", toy, names)
    before = files(tmp_path / "i")
    with pytest.raises(InputError, match="an index already exists here"):
        build_index(tmp_path / "i", toy, names)
    assert files(tmp_path / "i") == before


def test_resuming_a_finished_build_says_so_by_opening_it(
    tmp_path: Path, toy: ToyBackend, names: NameList
) -> None:
    build_index(tmp_path / "i", toy, names)
    before = files(tmp_path / "i")
    assert len(build_index(tmp_path / "i", toy, names, resume=True)) == 40
    assert files(tmp_path / "i") == before
    with pytest.raises(InputError, match=r"other arguments \(fingerprint"):
        build_index(tmp_path / "i", ToyBackend(model="another"), names, resume=True)


def test_foreign_folders_and_files_are_left_alone(
    tmp_path: Path, toy: ToyBackend, names: NameList
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.txt").write_text("mine")
    with pytest.raises(InputError, match="neither empty nor an index"):
        build_index(tmp_path / "photos", toy, names)
    with pytest.raises(InputError, match="is a file; choose another"):
        build_index(tmp_path / "photos" / "a.txt", toy, names)
    assert [p.name for p in (tmp_path / "photos").iterdir()] == ["a.txt"]


def write_sealed(file: Path, data: dict[str, object]) -> None:
    """A manifest whose checksum is right, so that what else is wrong with it is seen."""
    data.pop("sha256")
    file.write_text(seal(data))


def test_another_model_does_not_get_an_answer(
    tmp_path: Path, toy: ToyBackend, names: NameList
) -> None:
    index = build_index(tmp_path / "i", toy, names)
    index.check_backend(toy)
    with pytest.raises(InputError, match=r"another model.*weights_sha256"):
        index.check_backend(ToyBackend(model="another"))


@pytest.mark.parametrize("damage", ["cut", "missing", "longer", "link"])
def test_a_damaged_shard_is_named_when_the_index_opens(
    tmp_path: Path, toy: ToyBackend, names: NameList, damage: str
) -> None:
    build_index(tmp_path / "i", toy, names)
    shard = tmp_path / "i" / "000002.faiss"
    data = shard.read_bytes()
    if damage == "cut":
        shard.write_bytes(data[:-1])
    elif damage == "longer":
        shard.write_bytes(data + b"x")
    else:
        shard.unlink()
    if damage == "link":
        (tmp_path / "elsewhere").write_bytes(data)
        shard.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"000002\.faiss"):
        open_index(tmp_path / "i")


def test_changed_names_and_rows_are_noticed(
    tmp_path: Path, toy: ToyBackend, names: NameList
) -> None:
    index = build_index(tmp_path / "i", toy, names)
    assert not verify(index.path)
    file = tmp_path / "i" / "000001.names.txt"
    file.write_bytes(file.read_bytes().replace(b"First1", b"First9"))
    with pytest.raises(InputError, match=r"000001\.names\.txt: was changed"):
        list(open_index(tmp_path / "i").names)
    shard = tmp_path / "i" / "000000.faiss"
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(data)
    assert {finding.file for finding in verify(index.path)} == {"000000.faiss", file.name}


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("format", "idia-index/index/9", "this version reads"),
        ("shards", [], "damaged manifest"),
        ("shards", "none", "damaged manifest"),
        ("plan", {}, "damaged manifest"),
    ],
)
def test_a_damaged_manifest_is_one_line(
    tmp_path: Path, toy: ToyBackend, names: NameList, field: str, value: object, told: str
) -> None:
    build_index(tmp_path / "i", toy, names)
    file = tmp_path / "i" / "manifest.json"
    write_sealed(file, {**json.loads(file.read_text()), field: value})
    with pytest.raises(InputError, match=told):
        open_index(tmp_path / "i")


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/b", "..", ".hidden", ""])
def test_a_manifest_cannot_lead_out_of_the_index(
    tmp_path: Path, toy: ToyBackend, names: NameList, name: str
) -> None:
    build_index(tmp_path / "i", toy, names)
    file = tmp_path / "i" / "manifest.json"
    data = json.loads(file.read_text())
    data["shards"][0]["names"]["file"] = name
    write_sealed(file, data)
    with pytest.raises(InputError, match="not a plain file name"):
        open_index(tmp_path / "i")


def test_search_refuses_what_is_no_query(tmp_path: Path, toy: ToyBackend, names: NameList) -> None:
    index = build_index(tmp_path / "i", toy, names, make_templates(["{0}"]))
    rows = np.eye(2, DIM, dtype=np.float32)
    for queries, k, told in (
        (rows[:, :-1], 1, "the index needs"),
        (rows[0], 1, "the index needs"),
        (2 * rows, 1, "image embedding 0 has length 2, not 1"),
        (rows * np.nan, 1, "not finite"),
        (rows, 0, "k is 0, but must be from 1 to"),
        (rows, 41, "k is 41"),
    ):
        with pytest.raises(InputError, match=told):
            index.search(queries, k)
    with pytest.raises(InputError, match="name ids are 0 to 39"):
        index.text_embeddings(0, [40])
    with pytest.raises(InputError, match="template 1"):
        index.text_embeddings(1, [0])


def test_a_read_only_folder_is_one_line(tmp_path: Path, toy: ToyBackend, names: NameList) -> None:
    if os.geteuid() == 0:
        place = Path("/proc/idia-index-cannot-write-here")  # nobody can, root included
    else:
        (tmp_path / "closed").mkdir(mode=0o500)
        place = tmp_path / "closed" / "i"
    with pytest.raises(InputError, match="cannot be written"):
        build_index(place, toy, names)
