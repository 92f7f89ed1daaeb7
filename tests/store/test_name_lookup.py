"""The name lookup on disk: the same bytes as a plain implementation, in little memory."""

from __future__ import annotations

import hashlib
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from toy_backend import ToyBackend

import idia_index.pipelines.build
import idia_index.store.name_lookup
import idia_index.store.stored_names
from idia_index import build_index, open_index
from idia_index.errors import InputError
from idia_index.pipelines.change import add_names, remove_names
from idia_index.prompts.names import make_names
from idia_index.prompts.templates import make_templates
from idia_index.store.manifest import FileEntry, LookupEntry
from idia_index.store.name_lookup import BLOCK, KEY_BYTES, Lookup, key_hash, lookup_files

MANY = 100_000


@pytest.mark.parametrize("count", [1, 7, BLOCK, BLOCK + 1])
def test_the_files_are_those_of_a_plain_sort(count: int) -> None:
    keys = [f"first{i % 97} last{i // 2}" for i in range(count)]  # some twice
    ranked = sorted((key_hash(key), place) for place, key in enumerate(keys))
    hashes = [struct.pack("<Q", found) for found, _ in ranked]
    ids = [struct.pack("<q", place) for _, place in ranked]
    sums = [
        hashes[i] + hashlib.sha256(b"".join(hashes[i : i + BLOCK] + ids[i : i + BLOCK])).digest()
        for i in range(0, count, BLOCK)
    ]
    file, written = lookup_files(iter(keys))
    assert bytes(file) == b"".join(hashes + ids) and written == b"".join(sums)
    assert len(file) == KEY_BYTES * count


@pytest.mark.slow
def test_no_list_of_keys_is_kept() -> None:
    tracemalloc.start()
    try:
        lookup_files(f"{i} ".rjust(1000) for i in range(MANY))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 60 * MANY


def written(folder: Path, keys: list[str], number: int, first: int) -> LookupEntry:
    """The lookup files of some names, on disk."""
    parts = zip(("keys", "sums"), lookup_files(iter(keys)), strict=True)
    files = []
    for suffix, data in parts:
        (folder / f"{number:06d}.{suffix}").write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        files.append(FileEntry(f"{number:06d}.{suffix}", len(data), digest))
    return LookupEntry(first, len(keys), *files)


@pytest.mark.slow
def test_candidates_are_those_with_the_hashes_and_blocks_are_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One key fills more than a block, and so its hash runs over the borders of blocks."""
    keys = [f"k{i}" for i in range(3 * BLOCK)] + ["often"] * (2 * BLOCK) + ["k5", "last"]
    lookup = Lookup(tmp_path, written(tmp_path, keys, 0, 1000))
    read: list[int] = []
    block = Lookup._block
    monkeypatch.setattr(
        Lookup, "_block", lambda self, number: (read.append(number), block(self, number))[1]
    )
    for asked in (["often"], ["k5", "absent", "last"], ["absent"], [*keys[:2000], "often", "x"]):
        wanted = sorted(asked, key=key_hash)
        read.clear()
        found: dict[str, list[int]] = {}
        for places, ids in lookup.candidates(np.array([*map(key_hash, wanted)], np.uint64)):
            for place, stored in zip(places.tolist(), ids.tolist(), strict=True):
                found.setdefault(wanted[place], []).append(stored)
        expected: dict[str, list[int]] = {}
        for place, key in enumerate(keys, 1000):
            if key in set(asked):
                expected.setdefault(key, []).append(place)
        assert {key: sorted(ids) for key, ids in found.items()} == expected
        assert len(read) == len(set(read))


def test_of_two_names_with_one_hash_each_is_found(
    tmp_path: Path, toy: ToyBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a hash of few values has it, keys are compared; several lookups, shards and removals."""
    for module in (idia_index.store.name_lookup, idia_index.store.stored_names):
        monkeypatch.setattr(module, "key_hash", lambda key: len(key) % 3)
    monkeypatch.setattr(idia_index.pipelines.build, "SHARD_BYTES", 16 * 4 * 4)
    monkeypatch.setattr(idia_index.store.stored_names, "SHARDS_KEPT", 2)
    names = [f"First{i} Last{i * i}" for i in range(60)]
    build_index(tmp_path / "i", toy, make_names(names[:30]), make_templates(["{0}"])).close()
    for run in (names[30:41], names[41:]):
        add_names(tmp_path / "i", toy, make_names(run))
    remove_names(tmp_path / "i", make_names(names[3:33:7]))
    index = open_index(tmp_path / "i")
    left = [name for name in names if name not in names[3:33:7]]
    assert len(index.manifest.lookups) == 3 and len(index.manifest.shards) > 10
    asked = [*names, "Nobody", "First1 Last2"]
    assert index.find(asked) == {name: place for place, name in enumerate(left)}


def test_each_file_of_names_is_read_once_however_many_are_asked_for(
    tmp_path: Path, toy: ToyBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idia_index.pipelines.build, "SHARD_BYTES", 16 * 4 * 4)
    monkeypatch.setattr(idia_index.store.stored_names, "SHARDS_KEPT", 2)
    names = [f"First{i} Last{i}" for i in range(60)]
    build_index(tmp_path / "i", toy, make_names(names), make_templates(["{0}"])).close()
    index = open_index(tmp_path / "i")
    read: list[str] = []
    one = idia_index.store.stored_names.read_shard_names
    monkeypatch.setattr(
        idia_index.store.stored_names,
        "read_shard_names",
        lambda folder, shard: (read.append(shard.names.file), one(folder, shard))[1],
    )
    assert len(index.find(names[::-1])) == 60
    assert len(read) == len(set(read)) == len(index.manifest.shards)
    read.clear()
    for place in (0, 59, 0, 30, 0, 45, 0):  # what was asked for last is not forgotten
        assert index.name(place) == names[place]
    assert read.count(index.manifest.shards[0].names.file) == 1


def test_hashes_that_do_not_ascend_are_refused(tmp_path: Path) -> None:
    """A lookup of other hands, its checksums right, could make every name a candidate."""
    keys, _ = lookup_files(f"k{i}" for i in range(9))
    data = bytes(keys[:72][::-1]) + bytes(keys[72:])
    sums = data[:8] + hashlib.sha256(data).digest()
    files = []
    for name, part in (("000000.keys", data), ("000000.sums", sums)):
        (tmp_path / name).write_bytes(part)
        files.append(FileEntry(name, len(part), hashlib.sha256(part).hexdigest()))
    with pytest.raises(InputError, match=r"0\.keys: its hashes are not ascending"):
        list(Lookup(tmp_path, LookupEntry(0, 9, *files)).candidates(
            np.array([2**63], np.uint64)
        ))  # fmt: skip
