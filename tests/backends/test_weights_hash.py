"""The cache of hashes stays correct, whatever happens to its file."""

from __future__ import annotations

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from idia_index.backends import weights_hash
from idia_index.backends.weights_hash import cache_file, weights_sha256
from idia_index.errors import InputError


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_an_unchanged_file_is_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "w"
    path.write_bytes(b"x" * 10_000_000)
    assert weights_sha256(path) == _sha256(path)

    def never(path: Path) -> str:
        raise AssertionError(f"hashed {path} again")

    monkeypatch.setattr(weights_hash, "sha256_file", never)
    assert weights_sha256(path) == _sha256(path)


def test_a_changed_file_is_hashed_again(tmp_path: Path) -> None:
    path = tmp_path / "w"
    path.write_bytes(b"one")
    stat = path.stat()
    first = weights_sha256(path)
    path.write_bytes(b"two")  # of the same size, and its time set back
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert weights_sha256(path) == _sha256(path) != first


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "3", '{"w": 3}', "[" * 100_000, '{"PATH": {"stamp": "STAMP", "sha256": "no"}}'],
)
def test_a_damaged_cache_costs_time_only(content: str, tmp_path: Path) -> None:
    path = tmp_path / "w"
    path.write_bytes(b"one")
    weights_sha256(path)
    entry = json.loads(cache_file().read_text())[str(path)]
    content = content.replace("PATH", str(path)).replace('"STAMP"', json.dumps(entry["stamp"]))
    cache_file().write_text(content)
    assert weights_sha256(path) == _sha256(path)
    assert json.loads(cache_file().read_text())[str(path)]["sha256"] == _sha256(path)


def test_many_writers_leave_a_whole_file(tmp_path: Path) -> None:
    paths = [tmp_path / f"w{i}" for i in range(40)]
    for i, path in enumerate(paths):
        path.write_bytes(b"%d" % i)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(weights_sha256, paths)) == [_sha256(path) for path in paths]
    json.loads(cache_file().read_text())
    assert [p.name for p in cache_file().parent.iterdir()] == [cache_file().name]


def test_a_cache_that_cannot_be_written_is_done_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "w"
    path.write_bytes(b"one")
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert weights_sha256(path) == _sha256(path)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="gone: cannot be read"):
        weights_sha256(tmp_path / "gone")
