"""The contract that every index type keeps, against ten lines of NumPy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from table_backend import as_shard
from toy_backend import ToyBackend

from idia_index import build_index, open_index
from idia_index.errors import IdiaIndexError, InputError
from idia_index.indexes.numpy_oracle import NumpyType
from idia_index.plugins import IndexType, Shard
from idia_index.prompts.names import make_names
from idia_index.prompts.templates import JAIR2024
from idia_index.registry import INDEXES, available, load_index_type
from idia_index.search.rerank import merge_topk, search_shard
from idia_index.store.manifest_json import seal
from idia_index.store.shards import stored_errors

# What a machine may lack: a GPU, PyTorch. All others work everywhere.
NEEDY = {"faiss-gpu", "torch"}


def works(name: str) -> bool:
    """Whether a kind runs on this machine."""
    try:
        load_index_type(name).self_test()
    except IdiaIndexError:
        return False
    return True


VECTORLESS = {"labels"}  # has nothing to search: tests/pipelines/test_labels.py
TYPES = [
    name
    for name in available(INDEXES)
    if name not in VECTORLESS and (name not in NEEDY or works(name))
]


@pytest.fixture(params=TYPES)
def index_type(request: pytest.FixtureRequest) -> IndexType:
    return load_index_type(request.param)


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("dim", [12, 66])
def test_rows_take_the_bytes_that_the_kind_says(name: str, dim: int, tmp_path: Path) -> None:
    rows, index_type = unit(np.random.default_rng(0), 2, 600, dim), load_index_type(name)
    smaller = tmp_path / "a", tmp_path / "b"
    index_type.write_shard(smaller[0], rows[:, :300])
    index_type.write_shard(smaller[1], rows)
    grown = smaller[1].stat().st_size - smaller[0].stat().st_size
    said = 2 * 300 * index_type.row_bytes(dim)
    assert 0 < said <= grown + 256 and grown <= said + 256  # parts begin at 64 bytes


def unit(random: np.random.Generator, *shape: int) -> np.ndarray:
    rows = random.standard_normal(shape)
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def plain_search(rows: np.ndarray, queries: np.ndarray, k: int) -> tuple[list, list]:
    """Every similarity, each template on its own; the best first, ties to the lowest row."""
    ids = []
    for vectors in rows:
        scores = (queries.astype(np.float64) @ vectors.T.astype(np.float64)).astype(np.float32)
        ids.append([sorted(range(len(vectors)), key=lambda i: (-s[i], i))[:k] for s in scores])
    found = np.array(ids)
    sims = [
        np.einsum("md,mkd->mk", queries.astype(np.float64), rows[t][found[t]])
        for t in range(len(rows))
    ]
    return found, np.array(sims)


def stored(index_type: IndexType, shard: Shard, rows: np.ndarray) -> np.ndarray:
    """The rows as a shard gives them back: for an exact kind, those that it was given."""
    ids = np.arange(rows.shape[1])
    found = np.stack([shard.text_embeddings(t, ids) for t in range(len(rows))])
    if index_type.exact:
        assert (found == rows).all()
    np.testing.assert_allclose(found, rows, atol=0.001)
    return found


@pytest.mark.slow
@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    templates=st.integers(1, 4),
    count=st.integers(1, 30),
    images=st.integers(1, 50),
    k=st.integers(1, 30),
    distinct=st.integers(1, 30),
    dim=st.sampled_from([2, 3, 8]),
)
@pytest.mark.parametrize("name", TYPES)
def test_any_index_gives_the_plain_answer_with_ties_and_duplicates(
    name: str, seed: int, templates: int, count: int, images: int, k: int, distinct: int, dim: int
) -> None:
    random = np.random.default_rng(seed)
    rows = unit(random, templates, count, dim)[:, random.integers(0, min(distinct, count), count)]
    queries = unit(random, images, dim)
    shard = as_shard(load_index_type(name), rows)
    similarities, found = search_shard(shard, queries, k)
    rows = stored(load_index_type(name), shard, rows)
    assert similarities.shape == found.shape == (templates, images, k)
    assert similarities.dtype == np.float32 and found.dtype == np.int64
    expected, sims = plain_search(rows, queries, min(k, count))
    assert (found[:, :, :count] == expected).all()
    np.testing.assert_allclose(similarities[:, :, :count], sims, atol=1e-6)
    assert (found[:, :, count:] == -1).all() and np.isneginf(similarities[:, :, count:]).all()


@pytest.mark.slow
def test_a_tie_of_many_goes_to_the_lowest_row_whatever_the_number_of_queries(
    index_type: IndexType,
) -> None:
    random = np.random.default_rng(1)
    rows = np.repeat(unit(random, 1, 1, 64), 500, axis=1)
    rows[0, :100] = unit(random, 100, 64)
    shard = as_shard(index_type, rows)
    for images in (1, 19, 20, 21, 300):
        queries = np.repeat(rows[0, 100:101], images, axis=0)
        similarities, found = search_shard(shard, queries, 3)
        assert (found == [100, 101, 102]).all()
        assert (similarities == similarities[0, 0, 0]).all()


@pytest.mark.slow
def test_one_query_and_many_give_the_same_bits(index_type: IndexType) -> None:
    random = np.random.default_rng(2)
    shard = as_shard(index_type, unit(random, 2, 3000, 96))
    queries = unit(random, 64, 96)
    together = search_shard(shard, queries, 4)
    alone = [search_shard(shard, queries[i : i + 1], 4) for i in range(64)]
    for part in (0, 1):
        assert (np.concatenate([a[part] for a in alone], axis=1) == together[part]).all()


def test_a_file_gives_back_its_rows_in_any_order(index_type: IndexType) -> None:
    rows = unit(np.random.default_rng(3), 3, 200, 32)
    opened = as_shard(index_type, rows)
    whole = stored(index_type, opened, rows)
    ids = np.array([7, 0, 7])
    assert (opened.text_embeddings(2, ids) == whole[2, ids]).all()
    assert (opened.rows(np.array([2, 0, 2]), ids) == whole[[2, 0, 2], ids]).all()


def test_shards_together_give_what_one_gives(index_type: IndexType) -> None:
    if not index_type.exact:
        pytest.skip("shards of quantized rows are quantized each on its own")
    random = np.random.default_rng(4)
    rows = unit(random, 2, 90, 16)[:, random.integers(0, 30, 90)]
    queries = unit(random, 25, 16)
    found = []
    for first, stop in ((0, 1), (1, 40), (40, 90)):
        similarities, ids = search_shard(as_shard(index_type, rows[:, first:stop]), queries, 6)
        found.append((similarities, np.where(ids >= 0, ids + first, -1)))
    merged = merge_topk(found, 6)
    whole = search_shard(as_shard(index_type, rows), queries, 6)
    assert (merged[0] == whole[0]).all() and (merged[1] == whole[1]).all()


@pytest.mark.parametrize("keep", [0, 3, 40, 1000])
def test_a_cut_file_is_named(index_type: IndexType, tmp_path: Path, keep: int) -> None:
    rows = unit(np.random.default_rng(5), 2, 50, 16)
    path = tmp_path / f"cut{index_type.suffix}"
    index_type.write_shard(path, rows)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(IdiaIndexError, match=f"cut{index_type.suffix}"):
        index_type.open_shard(path, rows.shape)


def test_another_shape_than_the_manifests_is_named(index_type: IndexType, tmp_path: Path) -> None:
    rows = unit(np.random.default_rng(6), 2, 50, 16)
    path = tmp_path / f"other{index_type.suffix}"
    index_type.write_shard(path, rows)
    for shape in ((2, 51, 16), (4, 50, 8)):
        with pytest.raises(IdiaIndexError, match="manifest"):
            index_type.open_shard(path, shape)


def test_the_self_test_searches(index_type: IndexType) -> None:
    assert "CPU" in index_type.self_test() or "GPU" in index_type.self_test()


@pytest.mark.parametrize("name", ["bfloat16", "int8", "int8-exact", "hnsw", "ivf", "pq"])
def test_an_index_of_a_removed_type_says_what_to_do(name: str, tmp_path: Path) -> None:
    toy = ToyBackend(model="toy")
    build_index(tmp_path / "i", toy, make_names(["Jane Doe"]), JAIR2024[:1]).close()
    manifest = tmp_path / "i" / "manifest.json"
    data = json.loads(manifest.read_text())
    data.pop("sha256")
    data["plan"].update(kind=name, exact=name == "int8-exact")
    manifest.write_text(seal(data))
    words = rf"manifest.json: the index type '{name}' was removed; rebuild .* --index (\S+), or use"
    with pytest.raises(InputError, match=words) as caught:
        open_index(tmp_path / "i")
    assert caught.match("--index (flat|float16|bfloat16-exact)")


class Approximate(NumpyType):
    """Neither exact nor bounded."""

    name = "approximate"
    exact = False


def test_a_type_whose_answers_cannot_be_proved_is_refused(tmp_path: Path) -> None:
    NumpyType().write_shard(tmp_path / "x", rows := unit(np.random.default_rng(7), 1, 9, 4))
    assert stored_errors(NumpyType(), tmp_path / "x", rows) == (0.0,)
    with pytest.raises(IdiaIndexError, match="is not exact and has no score bounds"):
        stored_errors(Approximate(), tmp_path / "x", rows)
