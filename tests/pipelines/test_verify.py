"""Verifying and repairing: all damage is found, gives no wrong answer, and shards are restored."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from toy_backend import DIM, ToyBackend

import idia_index.pipelines.build
from idia_index import build_index, open_index
from idia_index.errors import IdiaIndexError, InputError
from idia_index.pipelines.change import add_names, remove_names
from idia_index.pipelines.compact import compact
from idia_index.pipelines.repair import repair
from idia_index.pipelines.verify import verify
from idia_index.prompts.names import make_names
from idia_index.prompts.packed_names import NameList
from idia_index.prompts.templates import JAIR2024
from idia_index.registry import load_index_type
from idia_index.store.manifest_json import seal

TEMPLATES = JAIR2024[:3]
FLIPS = 300


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idia_index.pipelines.build, "SHARD_BYTES", DIM * 4 * len(TEMPLATES) * 16)


@pytest.fixture
def folder(tmp_path: Path, toy: ToyBackend, names: NameList) -> Path:
    """An index with every sort of file: several shards, lookups, removed names."""
    build_index(tmp_path / "i", toy, names[:30], TEMPLATES)
    add_names(tmp_path / "i", toy, make_names(names[30:]))
    remove_names(tmp_path / "i", make_names(names[3:5]))
    return tmp_path / "i"


def queries() -> np.ndarray:
    rows = np.random.default_rng(0).standard_normal((20, DIM)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def answers(folder: Path) -> object:
    """What somebody sees who opens an index with checking on and asks everything of it."""
    index = open_index(folder, verify=True)
    names = list(index.names)
    return names, index.find(names), [part.tolist() for part in index.search(queries(), 2)]


@pytest.mark.slow
def test_every_flipped_bit_is_found_and_none_gives_a_wrong_answer(folder: Path) -> None:
    random = np.random.default_rng(7)
    expected = answers(folder)
    files = sorted(f for f in folder.iterdir() if f.stat().st_size)
    sizes = np.array([f.stat().st_size for f in files])
    wrong, missed = [], []
    for _ in range(FLIPS):
        file = (
            files[random.choice(len(files))]
            if random.random() < 0.5
            else files[random.choice(len(files), p=sizes / sizes.sum())]
        )
        data = file.read_bytes()
        place, bit = int(random.integers(len(data))), int(random.integers(8))
        changed = bytearray(data)
        changed[place] ^= 1 << bit
        file.write_bytes(changed)
        try:
            if not verify(folder):
                missed.append((file.name, place, bit))
        except IdiaIndexError:
            pass
        try:
            if answers(folder) != expected:
                wrong.append((file.name, place, bit))
        except IdiaIndexError:
            pass
        file.write_bytes(data)
    assert not missed and not wrong
    assert verify(folder) == [] and answers(folder) == expected


def test_damaged_shards_are_encoded_again_and_no_other(folder: Path, toy: ToyBackend) -> None:
    expected = answers(folder)
    before = {f.name: f.stat().st_ino for f in folder.iterdir()}
    first, last = (open_index(folder).manifest.shards[i].parts[0].file.file for i in (0, -1))
    (folder / first).write_bytes(b"nothing")
    (folder / last).unlink()
    assert {(f.file, f.shard) for f in verify(folder, toy)} == {(first, 0), (last, 2)}
    done = repair(folder, toy)
    assert done.encoded == 2 and not done.lookups
    assert verify(folder, toy) == [] and answers(folder) == expected
    kept = [f for f in folder.iterdir() if before.get(f.name) == f.stat().st_ino]
    assert len(kept) >= len(before) - 3
    assert repair(folder, toy).findings == ()


def test_damaged_lookups_are_written_again(folder: Path, toy: ToyBackend) -> None:
    expected = answers(folder)
    keys = open_index(folder).manifest.lookups[1].keys.file
    data = bytearray((folder / keys).read_bytes())
    data[3] ^= 4
    (folder / keys).write_bytes(data)
    assert [f.file for f in verify(folder)] == [keys]
    done = repair(folder, toy)
    assert done.lookups and not done.encoded
    assert verify(folder, toy) == [] and answers(folder) == expected


def test_damage_is_not_compacted(folder: Path) -> None:
    shard = open_index(folder).manifest.shards[0].parts[0].file.file  # two of its names are gone
    data = bytearray((folder / shard).read_bytes())
    data[-1] ^= 1
    (folder / shard).write_bytes(data)
    before = (folder / "manifest.json").read_bytes()
    with pytest.raises(IdiaIndexError, match=shard):
        compact(folder)
    assert (folder / "manifest.json").read_bytes() == before


def test_names_cannot_be_made_again(folder: Path, toy: ToyBackend) -> None:
    names = open_index(folder).manifest.shards[0].names.file
    (folder / names).write_text("gone\n")
    with pytest.raises(InputError, match=f"{names}.*cannot restore names"):
        repair(folder, toy)


def test_rows_that_are_no_rows_of_the_model_are_found(folder: Path, toy: ToyBackend) -> None:
    """Damage from before the checksums were made: they fit, the rows do not."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for change, told in ((2.0, "has length 2"), (-1.0, "away from the model's")):
        copy = folder.with_name(f"copy{change}")
        shutil.copytree(folder, copy)
        shard = manifest["shards"][0]
        index = open_index(folder)
        rows = np.stack([index.stored_rows(t, np.arange(16)) for t in range(3)])
        file = copy / shard["parts"][0]["file"]["file"]
        load_index_type("flat").write_shard(file, rows * np.float32(change))
        data = json.loads((copy / "manifest.json").read_text())
        data["shards"][0]["parts"][0]["file"]["sha256"] = idia_index.support.files.sha256_file(file)
        data.pop("sha256")
        (copy / "manifest.json").write_text(seal(data))
        (finding,) = verify(copy, toy)
        assert finding.shard == 0 and told in finding.problem
