"""A changed index equals one built at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from toy_backend import DIM, ToyBackend

import idia_index.pipelines.build
from idia_index import build_index, open_index
from idia_index.errors import InputError
from idia_index.pipelines.change import add_names, add_templates, remove_names
from idia_index.pipelines.compact import compact
from idia_index.pipelines.verify import verify
from idia_index.prompts.names import make_names
from idia_index.prompts.packed_names import NameList
from idia_index.prompts.templates import JAIR2024, make_templates
from idia_index.search.index import Index

DATA = Path(__file__).parents[1] / "data"
TEMPLATES = JAIR2024[:3]


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idia_index.pipelines.build, "SHARD_BYTES", DIM * 4 * len(TEMPLATES) * 8)


def queries(count: int = 50) -> np.ndarray:
    rows = np.random.default_rng(0).standard_normal((count, DIM)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def same(index: Index, names: list[str], path: Path, toy: ToyBackend, templates=TEMPLATES) -> None:
    """Names, ids, rows and answers of an index are those of a build at once."""
    whole = build_index(path, toy, make_names(names), templates)
    index = open_index(index.path)
    assert list(index.names) == list(whole.names) == names
    assert index.manifest.plan.names_sha256 == whole.manifest.plan.names_sha256
    assert [index.name(i) for i in range(len(index))] == names
    assert index.find(names) == {name: i for i, name in enumerate(names)}
    for k in (1, 4):
        for mine, other in zip(index.search(queries(), k), whole.search(queries(), k), strict=True):
            assert (mine == other).all()
    for t in range(len(templates)):
        ids = range(len(names))
        assert (index.text_embeddings(t, ids) == whole.text_embeddings(t, ids)).all()
    assert verify(index.path, toy) == []


def test_adding_twice_equals_a_build_at_once(
    tmp_path: Path, toy: ToyBackend, names: NameList
) -> None:
    build_index(tmp_path / "i", toy, make_names(names[:13]), TEMPLATES)
    first = add_names(tmp_path / "i", toy, make_names([names[3].upper(), *names[13:20]]))
    assert (first.done, first.left_out) == (7, (names[3].upper(),))
    second = add_names(tmp_path / "i", toy, make_names(names[20:]))
    same(second.index, list(names), tmp_path / "whole", toy)
    assert [e["action"] for e in second.index.manifest.history] == ["add", "add"]


def test_adding_what_is_there_changes_nothing(
    tmp_path: Path, toy: ToyBackend, names: NameList
) -> None:
    build_index(tmp_path / "i", toy, names, TEMPLATES)
    before = (tmp_path / "i" / "manifest.json").read_bytes()
    done = add_names(tmp_path / "i", toy, make_names(names[:5]))
    assert done.done == 0 and len(done.left_out) == 5
    assert (tmp_path / "i" / "manifest.json").read_bytes() == before


@pytest.mark.slow
def test_removed_names_are_gone_at_once_and_from_disk_after_compact(
    tmp_path: Path, toy: ToyBackend, names: NameList
) -> None:
    build_index(tmp_path / "i", toy, names, TEMPLATES)
    gone = [names[0], names[9], names[10], names[39]]
    done = remove_names(tmp_path / "i", make_names([*gone, "Not There"]))
    assert (done.done, done.left_out) == (4, ("Not There",))
    left = [name for name in names if name not in gone]
    assert done.index.find(gone) == {}
    same(done.index, left, tmp_path / "whole", toy)
    done.index.close()
    compacted = compact(tmp_path / "i")
    assert compacted.removed == 4 and compacted.freed_bytes > 0 and not compacted.in_use
    same(open_index(tmp_path / "i"), left, tmp_path / "whole2", toy)
    written = b"".join(f.read_bytes() for f in (tmp_path / "i").iterdir())
    assert not any(name.encode() + b"\n" in written for name in gone)


@pytest.mark.slow
def test_a_removed_name_can_be_added_again(
    tmp_path: Path, toy: ToyBackend, names: NameList
) -> None:
    build_index(tmp_path / "i", toy, names, TEMPLATES)
    remove_names(tmp_path / "i", make_names([names[5], names[6]]))
    done = add_names(tmp_path / "i", toy, make_names([names[5], "New Name"]))
    left = [n for n in names if n not in (names[5], names[6])] + [names[5], "New Name"]
    same(done.index, left, tmp_path / "whole", toy)
    done.index.close()
    compact(tmp_path / "i")
    same(open_index(tmp_path / "i"), left, tmp_path / "whole2", toy)


def test_all_names_cannot_be_removed(tmp_path: Path, toy: ToyBackend, names: NameList) -> None:
    build_index(tmp_path / "i", toy, names, TEMPLATES)
    with pytest.raises(InputError, match="would leave none"):
        remove_names(tmp_path / "i", names)
    assert len(open_index(tmp_path / "i")) == 40


@pytest.mark.slow
def test_adding_templates_encodes_only_those(
    tmp_path: Path, toy: ToyBackend, names: NameList, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_index(tmp_path / "i", toy, names, TEMPLATES[:2])
    texts: list[str] = []
    plain = ToyBackend.embed_texts
    monkeypatch.setattr(
        ToyBackend, "embed_texts", lambda self, t: texts.extend(t) or plain(self, t)
    )
    done = add_templates(tmp_path / "i", toy, TEMPLATES[2:])
    assert sorted(texts) == sorted(TEMPLATES[2].fill(n) for n in names)
    monkeypatch.undo()
    monkeypatch.setattr(idia_index.pipelines.build, "SHARD_BYTES", DIM * 4 * len(TEMPLATES) * 8)
    same(done.index, list(names), tmp_path / "whole", toy)
    twice = (TEMPLATES[0], TEMPLATES[0])
    with pytest.raises(InputError, match="repeats that of"):
        add_templates(tmp_path / "i", toy, twice)
    grown = add_names(tmp_path / "i", toy, make_names(["One More"]))
    grown.index.close()
    compact(tmp_path / "i")
    same(open_index(tmp_path / "i"), [*names, "One More"], tmp_path / "whole2", toy)


def test_adding_templates_that_are_there_changes_nothing(
    tmp_path: Path, toy: ToyBackend, names: NameList, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_index(tmp_path / "i", toy, names, TEMPLATES[:2]).close()
    before = {path.name: path.read_bytes() for path in (tmp_path / "i").iterdir()}
    spelled = TEMPLATES[1].text.replace("{0}", " {name} ").upper().replace("NAME", "name")
    with monkeypatch.context() as patched:
        patched.setattr(ToyBackend, "embed_texts", None)
        done = add_templates(tmp_path / "i", toy, make_templates([TEMPLATES[0].text, spelled]))
    assert (done.done, done.left_out) == (0, (TEMPLATES[0].text, spelled))
    done.index.close()
    assert {path.name: path.read_bytes() for path in (tmp_path / "i").iterdir()} == before
    done = add_templates(tmp_path / "i", toy, TEMPLATES)
    assert (done.done, len(done.left_out), len(done.index.templates)) == (1, 2, 3)
    same(done.index, list(names), tmp_path / "whole", toy)


def test_a_reader_keeps_its_state_while_the_index_changes(
    tmp_path: Path, toy: ToyBackend, names: NameList
) -> None:
    build_index(tmp_path / "i", toy, names, TEMPLATES)
    reader = open_index(tmp_path / "i")
    remove_names(tmp_path / "i", make_names(names[:7]))
    add_names(tmp_path / "i", toy, make_names(["One More"]))
    assert compact(tmp_path / "i").in_use
    assert list(reader.names) == list(names)
    expected = build_index(tmp_path / "whole", toy, names, TEMPLATES).search(queries(), 2)
    assert (reader.search(queries(), 2)[1] == expected[1]).all()
    reader.close()
    assert not compact(tmp_path / "i").in_use
    manifest = open_index(tmp_path / "i").manifest
    assert {f.name for f in (tmp_path / "i").iterdir()} == {
        "manifest.json", "lock", *(f.file for f in manifest.files())
    }  # fmt: skip


def test_another_model_may_not_add(tmp_path: Path, toy: ToyBackend, names: NameList) -> None:
    build_index(tmp_path / "i", toy, names, TEMPLATES)
    with pytest.raises(InputError, match="another model"):
        add_names(tmp_path / "i", ToyBackend(model="another"), make_names(["One More"]))


@pytest.mark.parametrize("index_type", ["flat", "numpy"])
def test_an_index_of_format_1_is_read_grown_and_migrated(
    tmp_path: Path, toy: ToyBackend, index_type: str
) -> None:
    for file in (DATA / f"index-1-{index_type}").iterdir():
        (tmp_path / "i").mkdir(exist_ok=True)
        (tmp_path / "i" / file.name).write_bytes(file.read_bytes())
    old = open_index(tmp_path / "i")
    assert old.manifest.format == "idia-index/index/1"
    assert old.find(["grace hopper", "Nobody"]) == {"grace hopper": 3}
    texts = old.text_embeddings(1, [3])
    assert (old.search(texts, 1)[1][1] == 3).all()
    everybody = list(old.names)
    old.close()
    grown = add_names(tmp_path / "i", toy, make_names(["One More"]))
    assert grown.index.manifest.format == "idia-index/index/2"
    assert grown.index.find(["grace hopper", "one more"]) == {"grace hopper": 3, "one more": 6}
    grown.index.close()
    compact(tmp_path / "i")
    assert list(open_index(tmp_path / "i").names) == [*everybody, "One More"]
    assert verify(tmp_path / "i", toy) == []


def test_an_index_of_format_1_is_rewritten_by_compact_alone(
    tmp_path: Path, toy: ToyBackend
) -> None:
    for file in (DATA / "index-1-flat").iterdir():
        (tmp_path / "i").mkdir(exist_ok=True)
        (tmp_path / "i" / file.name).write_bytes(file.read_bytes())
    compact(tmp_path / "i")
    index = open_index(tmp_path / "i")
    assert index.manifest.format == "idia-index/index/2" and index.manifest.lookups
    assert index.find(["kurt gödel"]) == {"kurt gödel": 5}
