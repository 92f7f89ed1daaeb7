"""Thousands of names that the model cannot distinguish: the same answers in bounded memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from table_backend import TableBackend, unit

import idia_index.pipelines.build
from idia_index import build_index, open_index
from idia_index.errors import IdiaIndexError
from idia_index.prompts.names import make_names
from idia_index.search import scan
from idia_index.search.index import Index

T, N, D, M = 3, 600, 48, 40


def opened(folder: Path, monkeypatch: pytest.MonkeyPatch, rows: NDArray[np.float32]) -> Index:
    """An index of five shards."""
    monkeypatch.setattr(idia_index.pipelines.build, "SHARD_BYTES", T * D * 4 * 130)
    backend = TableBackend(rows)
    build_index(folder / "i", backend, make_names(backend.names), backend.templates)
    return open_index(folder / "i")


def test_names_with_one_embedding_tie_to_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    one = unit(random, T, 1, D)
    index = opened(tmp_path, monkeypatch, np.repeat(one, N, axis=1))
    queries = unit(random, M, D)
    # A seventh of the pairs at a time: the images are searched in parts.
    monkeypatch.setattr(scan, "MOST_PAIRS", M * T * N // 14)
    similarities, ids = index.search(queries)
    assert not ids.any()
    stored = np.stack([index.text_embeddings(t, range(N)) for t in range(T)])
    expected = np.einsum("md,tnd->tmn", queries.astype(np.float64), stored[:, :1])
    np.testing.assert_array_equal(similarities, expected.astype(np.float32))


def test_more_than_can_be_compared_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    index = opened(tmp_path, monkeypatch, np.repeat(unit(random, T, 1, D), N, axis=1))
    monkeypatch.setattr(scan, "MOST_PAIRS", N // 2)
    with pytest.raises(IdiaIndexError, match="have the same embedding") as caught:
        index.search(unit(random, M, D))
    assert "\n" not in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("k", [1, 3])
def test_pairs_that_were_overtaken_are_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, k: int
) -> None:
    random = np.random.default_rng(0)
    rows = unit(random, T, N, D)
    queries = unit(random, M, D)
    # Every name more similar than the one before: all become pairs, and nearly all are overtaken.
    order = np.argsort(rows[0] @ queries[0])
    index = opened(tmp_path, monkeypatch, rows[:, order])
    kept, reaching = [], scan.reaching_kth

    def counted(*pairs: object) -> object:
        kept.append(pairs)
        return reaching(*pairs)

    monkeypatch.setattr(scan, "reaching_kth", counted)
    monkeypatch.setattr(scan, "ROW_BLOCK", 2)
    index.search(queries, k)
    once = len(kept)
    monkeypatch.setattr(scan, "MOST_PAIRS", 1)
    similarities, ids = index.search(queries, k)
    assert len(kept) > 2 * once
    stored = np.stack([index.text_embeddings(t, range(N)) for t in range(T)])
    exact = np.einsum("md,tnd->tmn", queries.astype(np.float64), stored).astype(np.float32)
    expected = np.argsort(-exact, axis=2, kind="stable")[:, :, :k]
    np.testing.assert_array_equal(ids, expected)
    np.testing.assert_array_equal(similarities, np.take_along_axis(exact, expected, axis=2))
