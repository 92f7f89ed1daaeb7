"""Approximate kinds, chosen by name: what they say of themselves, and that it is so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from table_backend import TableBackend, clustered, unit

import idia_index.pipelines.build
from idia_index import build_index, open_index
from idia_index.errors import IdiaIndexError
from idia_index.pipelines.change import remove_names
from idia_index.pipelines.compact import _write
from idia_index.pipelines.verify import verify
from idia_index.prompts.names import make_names
from idia_index.registry import load_index_type
from idia_index.search.index import Index
from idia_index.store.directory import Store
from idia_index.types import Float32, Int64

TYPES = ["ivf", "pq", "hnsw"]


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idia_index.pipelines.build, "SHARD_BYTES", 2 * 32 * 4 * 500)


def built(folder: Path, index_type: str) -> tuple[TableBackend, Index]:
    backend = TableBackend(clustered(np.random.default_rng(0), 2, 1200, 32))
    names = make_names(backend.names)
    return backend, build_index(
        folder / index_type, backend, names, backend.templates, index_type=index_type
    )


@pytest.mark.parametrize("index_type", TYPES)
def test_recall_is_measured_and_stated(tmp_path: Path, index_type: str) -> None:
    backend, index = built(tmp_path, index_type)
    summary = index.manifest.summary()
    assert summary["exact"] is False and 0.3 < summary["recall_at_1"] <= 1
    # What is stated is what random directions meet in the whole index, 24 of them here.
    queries = unit(np.random.default_rng(1), 400, 32)
    exact = load_index_type("numpy").in_memory(backend.rows).search(queries, 1)[1]
    share = (index.search(queries, 1)[1] == exact).mean()
    assert share == pytest.approx(summary["recall_at_1"], abs=0.25)
    assert index.certified_search(queries[:3], backend=backend).certified is None
    assert verify(tmp_path / index_type, backend) == []


@pytest.mark.parametrize("index_type", TYPES)
def test_files_are_the_same_every_time_and_removed_names_are_not_found(
    tmp_path: Path, index_type: str
) -> None:
    _, index = built(tmp_path / "a", index_type)
    built(tmp_path / "b", index_type)
    for file in (tmp_path / "a" / index_type).iterdir():
        assert file.read_bytes() == (tmp_path / "b" / index_type / file.name).read_bytes()
    queries = unit(np.random.default_rng(2), 50, 32)
    first = np.unique(index.search(queries, 1)[1])
    remove_names(tmp_path / "a" / index_type, make_names([index.name(i) for i in first.tolist()]))
    left = open_index(tmp_path / "a" / index_type)
    similarities, ids = left.search(queries, 3)
    gone = {index.name(i) for i in first.tolist()}
    assert not gone & {left.name(i) for i in np.unique(ids).tolist()}
    assert (np.diff(similarities, axis=2) <= 0).all()


@pytest.mark.parametrize("index_type", TYPES)
def test_shapes_small_shards_and_damage(tmp_path: Path, index_type: str) -> None:
    rows = unit(np.random.default_rng(3), 2, 5, 8)
    loaded = load_index_type(index_type)
    assert loaded.self_test()
    similarities, found = loaded.in_memory(rows).search(rows[0], 7)
    assert similarities.shape == found.shape == (2, 5, 7)
    assert (found[:, :, 5:] == -1).all() and np.isneginf(similarities[:, :, 5:]).all()
    path = tmp_path / f"x{loaded.suffix}"
    loaded.write_shard(path, rows)
    with pytest.raises(IdiaIndexError, match="the manifest says"):
        loaded.open_shard(path, (2, 6, 8))
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(IdiaIndexError, match="not a file of"):
        loaded.open_shard(path, rows.shape)


@pytest.mark.parametrize("index_type", TYPES)
@pytest.mark.parametrize("left", [100, 6])
def test_as_many_names_are_found_as_are_asked_for(
    tmp_path: Path, index_type: str, left: int
) -> None:
    """Where few lists hold few names, and where most that they hold were removed."""
    backend = TableBackend(clustered(np.random.default_rng(5), 2, 400, 32))
    names = make_names(backend.names[: 100 if left == 100 else 400])
    path = tmp_path / "i"
    build_index(path, backend, names, backend.templates, index_type=index_type).close()
    if left < len(names):
        remove_names(path, make_names([*names][left:]))
    index = open_index(path)
    queries = unit(np.random.default_rng(6), 300, 32)
    k = min(64, left)
    similarities, ids = index.search(queries, k)
    assert ids.min() >= 0 and (np.diff(np.sort(ids, axis=2), axis=2) > 0).all()
    for template in range(2):
        stored = index.text_embeddings(template, np.arange(left)).astype(np.float64)
        exact = (queries @ stored.T).astype(np.float32)
        given = np.take_along_axis(exact, ids[template], axis=1)
        assert np.abs(similarities[template] - given).max() < 1e-6
        if left == k:  # all of them, and so in their exact order
            assert (ids[template] == np.argsort(-exact, axis=1, kind="stable")).all()


def test_a_kind_that_finds_too_few_is_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, index = built(tmp_path, "ivf")

    def none(_: object, queries: Float32, k: int) -> tuple[Float32, Int64]:
        shape = (2, len(queries), k)
        return np.full(shape, -np.inf, np.float32), np.full(shape, -1, np.int64)

    monkeypatch.setattr("idia_index.indexes.approximate.ApproximateShard.search", none)
    with pytest.raises(IdiaIndexError, match="'ivf' found fewer than 3 names for an image"):
        index.search(unit(np.random.default_rng(7), 5, 32), 3)


@pytest.mark.parametrize("index_type", TYPES)
def test_a_single_name(tmp_path: Path, index_type: str) -> None:
    """A shard of one, and a subject that is no candidate, which competes from memory."""
    backend = TableBackend(unit(np.random.default_rng(4), 2, 2, 16))
    index = build_index(
        tmp_path / "i", backend, make_names(["n0"]), backend.templates, index_type=index_type
    ).with_names(["n1"], backend.rows[:, 1:])
    assert index.search(backend.rows[0], 1)[1][0].ravel().tolist() == [0, 1]


def test_rows_that_are_no_numbers_are_not_compacted(tmp_path: Path) -> None:
    _, index = built(tmp_path, "ivf")
    shard = index.manifest.shards[0].parts[0].file.file
    rows = np.full((2, index.manifest.shards[0].count, 32), np.nan, np.float32)
    remove_names(index.path, make_names([index.name(0)]))
    view = open_index(index.path)
    view.text_embeddings = lambda t, ids: rows[t, : len(ids)]  # type: ignore[method-assign]
    store, runs = Store(index.path), [([0], False)]
    with pytest.raises(IdiaIndexError, match=r"rows of shards \[0\] are no numbers"):
        _write(store, view, runs)
    assert (index.path / shard).exists()
