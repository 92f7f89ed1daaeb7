"""The k best if k is a large share of the names: bit-identical to the plain comparison."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from table_backend import TableBackend, unit

import idia_index.pipelines.build
from idia_index import build_index, open_index
from idia_index.errors import IdiaIndexError
from idia_index.pipelines.change import remove_names
from idia_index.prompts.names import make_names
from idia_index.search import exhaustive


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """3 x 600 names in five shards, a third of them another's double, ten removed."""
    monkeypatch.setattr(idia_index.pipelines.build, "SHARD_BYTES", 3 * 48 * 4 * 130)
    random = np.random.default_rng(0)
    rows = unit(random, 3, 600, 48)
    rows[:, 400:] = rows[:, random.integers(0, 400, 200)]
    backend = TableBackend(rows)
    build_index(tmp_path / "i", backend, make_names(backend.names), backend.templates)
    remove_names(tmp_path / "i", make_names(backend.names[10:600:59]))
    return tmp_path / "i"


@pytest.mark.slow
def test_both_ways_give_the_same_bits(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(1)
    view = open_index(folder).with_names(["Zoe Added"], unit(random, 3, 1, 48))
    queries = np.concatenate([unit(random, 400, 48), -view.text_embeddings(1, range(9))])
    for k in (2, 64, len(view)):
        assert exhaustive.is_shorter(len(view), k) == (k > 2)
        found = view.search(queries, k)
        with monkeypatch.context() as patch:
            patch.setattr(exhaustive, "PER_NAME", 0)
            other = view.search(queries, k)
        assert (found[0] == other[0]).all() and (found[1] == other[1]).all()


def test_equal_integer_similarities_stand_in_the_order_of_ids() -> None:
    found = np.array([[0.5, 0.0, -0.25, -0.0, 0.5, -0.25, 1.0]], np.float32)
    similarities, places = exhaustive.largest(found, 7)
    assert places.tolist() == [[6, 0, 4, 1, 3, 2, 5]]
    assert similarities.tolist() == [[1.0, 0.5, 0.5, 0.0, 0.0, -0.25, -0.25]]


def test_a_row_that_is_no_unit_row_is_an_error(folder: Path) -> None:
    view = open_index(folder).with_names(["Zoe Added"], np.full((3, 1, 48), np.nan, np.float32))
    with pytest.raises(IdiaIndexError, match="not of unit length"):
        view.search(unit(np.random.default_rng(2), 4, 48), 64)
