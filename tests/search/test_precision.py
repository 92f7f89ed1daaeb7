"""Quantized storage: the names and ties of float32, and their proof."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from table_backend import TableBackend, as_shard, clustered, unit

import idia_index.pipelines.build
from idia_index import build_index
from idia_index.errors import InputError
from idia_index.indexes import codecs
from idia_index.pipelines.change import remove_names
from idia_index.pipelines.compact import compact
from idia_index.pipelines.repair import repair
from idia_index.pipelines.verify import verify
from idia_index.prompts.names import make_names
from idia_index.registry import load_index_type
from idia_index.search import certify as certificate
from idia_index.search.index import Index
from idia_index.search.open import open_index
from idia_index.search.rerank import search_shard
from idia_index.store.manifest_json import seal

QUERIES = 1000


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idia_index.pipelines.build, "SHARD_BYTES", 2 * 64 * 4 * 700)


@pytest.fixture(params=["with torch", "without torch"])
def _torch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "without torch":
        monkeypatch.setattr(codecs, "torch_if_installed", lambda: None)


def table(make: Callable[..., np.ndarray]) -> tuple[TableBackend, np.ndarray]:
    """2 x 2,000 rows, a tenth of them repeated, and queries near them."""
    random = np.random.default_rng(5)
    rows = make(random, 2, 2000, 64)
    rows[:, 1800:] = rows[:, random.integers(0, 1800, 200)]
    near = rows[0, random.integers(0, 2000, QUERIES)] + 0.5 * unit(random, QUERIES, 64)
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    return TableBackend(rows), near.astype(np.float32)


def built(folder: Path, backend: TableBackend, index_type: str) -> Index:
    names = make_names(backend.names)
    return build_index(
        folder / index_type, backend, names, backend.templates, index_type=index_type
    )


@pytest.mark.slow
@pytest.mark.parametrize("make", [unit, clustered])
@pytest.mark.usefixtures("_torch")
def test_the_names_and_ties_are_those_of_float32(
    tmp_path: Path, make: Callable[..., np.ndarray]
) -> None:
    backend, queries = table(make)
    expected = built(tmp_path, backend, "numpy").search(queries, 1)
    index = built(tmp_path, backend, "float16")
    backend.encoded = 0
    answer = index.certified_search(queries, 1, backend=backend)
    assert (answer.name_ids == expected[1]).all()
    np.testing.assert_allclose(answer.similarities, expected[0], atol=0.02)
    assert answer.encoded == backend.encoded
    doubt = ~answer.certified
    assert (answer.similarities[doubt] == expected[0][doubt]).all()
    few = index.certified_search(queries[:20], 3, backend=backend)
    assert (few.name_ids == built(tmp_path, backend, "flat").search(queries[:20], 3)[1]).all()


@pytest.mark.slow
@pytest.mark.parametrize("index_type", ["bfloat16-exact", "flat"])
@pytest.mark.usefixtures("_torch")
def test_exact_types_need_no_model(tmp_path: Path, index_type: str) -> None:
    backend, queries = table(clustered)
    expected = built(tmp_path, backend, "numpy")
    index = built(tmp_path, backend, index_type)
    for k in (1, 5):
        for mine, other in zip(index.search(queries, k), expected.search(queries, k), strict=True):
            assert (mine == other).all()
    backend.encoded = 0
    answer = index.certified_search(queries, 1, backend=backend)
    assert (answer.name_ids == expected.search(queries, 1)[1]).all() and backend.encoded == 0


@pytest.mark.parametrize("index_type", ["float16", "bfloat16-exact", "flat"])
@pytest.mark.parametrize("count", [3, 100])
@pytest.mark.usefixtures("_torch")
def test_no_score_is_further_off_than_its_bound(index_type: str, count: int) -> None:
    random = np.random.default_rng(6)
    for make in (unit, clustered):
        rows, queries = make(random, 3, 500, 96), unit(random, count, 96)
        shard = as_shard(load_index_type(index_type), rows)
        scores = shard.scores(slice(1, 3), slice(100, 400), queries)
        every = tuple(np.indices((count, 2)).reshape(2, -1))
        products = scores.rows(every).astype(np.float64)
        assert (products.max(axis=1).reshape(count, 2) == scores.best()).all()
        low, high = (
            np.stack([bound(column, every) for column in products.T], axis=1)
            for bound in (scores.lowest, scores.highest)
        )
        stored = np.stack([shard.text_embeddings(t, np.arange(100, 400)) for t in (1, 2)])
        exact = np.einsum("md,tnd->mtn", queries, stored, dtype=np.float64).reshape(low.shape)
        assert (low <= exact).all() and (exact <= high).all() and (high - low).max() < 0.1
        least = scores.reaching(exact[:, 0], every)
        assert (least <= products[:, 0]).all()
        np.testing.assert_allclose(scores.highest(least, every), exact[:, 0], atol=1e-12)


@pytest.mark.slow
def test_stored_errors_are_bounds_also_after_compact(tmp_path: Path) -> None:
    backend, queries = table(clustered)
    built(tmp_path, backend, "float16")
    remove_names(tmp_path / "float16", make_names(backend.names[5:1000:7]))
    compact(tmp_path / "float16")
    index = open_index(tmp_path / "float16")
    for shard in index.manifest.shards:
        for t, error in enumerate(shard.parts[0].errors):
            ids = np.arange(shard.first, shard.first + shard.count)
            wanted = [backend.rows[t, int(index.name(i)[1:])] for i in ids]
            off = np.linalg.norm(index.text_embeddings(t, ids).astype(np.float64) - wanted, axis=1)
            assert 0 < off.max() <= error
    left = [n for n in backend.names if n not in set(backend.names[5:1000:7])]
    rows = backend.rows[:, [int(n[1:]) for n in left]]
    expected = search_shard(as_shard(load_index_type("numpy"), rows), queries, 1)[1]
    assert (index.certified_search(queries, 1, backend=backend).name_ids == expected).all()
    assert verify(tmp_path / "float16", backend) == []


@pytest.mark.parametrize("how", ["errors that are claimed", "rows that are alike"])
def test_no_index_can_ask_for_all_of_it_to_be_encoded_again(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificate, "AGAIN_FEW", 1000)
    backend, queries = table(unit)
    if how == "rows that are alike":
        backend.rows[:, 1:] = backend.rows[:, :1]
    built(tmp_path, backend, "float16")
    if how == "errors that are claimed":
        claim(tmp_path / "float16", 1.9)
    index, backend.encoded = open_index(tmp_path / "float16"), 0
    certified = partial(index.certified_search, backend=backend)
    for search in (index.deciding_with(backend).search, certified):
        with pytest.raises(InputError, match=r"manifest.json: 4,000 prompts .* 20 answers, more"):
            search(queries[:10])
    assert backend.encoded == 0
    assert len(index.search(queries[:10])[0]) == 2  # what is stored can still be asked


def test_verify_finds_errors_that_rounding_cannot_make_and_repair_measures_them(
    tmp_path: Path,
) -> None:
    backend, _ = table(clustered)
    built(tmp_path, backend, "float16")
    before = {p.name: p.read_bytes() for p in (tmp_path / "float16").glob("*.rows")}
    claim(tmp_path / "float16", 0.2)
    found = verify(tmp_path / "float16", backend)
    assert [f.file for f in found] == sorted(before)
    assert all("error of 0.2 is more than quantizing can cause" in f.problem for f in found)
    repair(tmp_path / "float16", backend)
    assert verify(tmp_path / "float16", backend) == []
    assert sorted(before.values()) == sorted(
        p.read_bytes() for p in (tmp_path / "float16").glob("*.rows")
    )


def claim(folder: Path, error: float) -> None:
    """A manifest that says of all rows that they are as far off, with a checksum that is right."""
    data = json.loads((folder / "manifest.json").read_text())
    data.pop("sha256")
    for shard in data["shards"]:
        for part in shard["parts"]:
            part["errors"] = [error] * len(part["errors"])
    (folder / "manifest.json").write_text(seal(data))


def test_half_the_bytes(tmp_path: Path) -> None:
    backend, _ = table(unit)
    flat, half = (
        sum(shard.parts[0].file.bytes for shard in built(tmp_path, backend, name).manifest.shards)
        for name in ("flat", "float16")
    )
    assert half / flat == pytest.approx(0.5, abs=0.01)
