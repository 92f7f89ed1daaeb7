"""The GPU code of the index type torch, run on the CPU: with and without room, exact."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("faiss")
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from table_backend import unit

from idia_index.errors import DamagedIndexError
from idia_index.indexes.flat import FloatShard
from idia_index.indexes.torch_gpu import DeviceShard
from idia_index.search.rerank import search_shard

CPU = torch.device("cpu")


def plain(rows: np.ndarray, queries: np.ndarray, k: int) -> np.ndarray:
    """Name ids [T, M, k] by float64 products rounded to float32, ties to the lowest id."""
    scores = np.einsum("md,tnd->tmn", queries, rows, dtype=np.float64).astype(np.float32)
    return np.argsort(-scores, axis=2, kind="stable")[:, :, :k]


class Full(DeviceShard):
    """A device on which no rows stay, and which has memory for so many scores."""

    room = 40

    def _has_room(self) -> bool:
        return False

    def product(self, queries: Any, vectors: Any) -> Any:
        if len(queries) * vectors.shape[1] > self.room:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return super().product(queries, vectors)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(1, 60),
    images=st.integers(1, 9),
    k=st.integers(1, 60),
    distinct=st.integers(1, 60),
    shard=st.sampled_from([DeviceShard, Full]),
)
def test_a_device_gives_the_plain_answer_with_ties(
    seed: int, count: int, images: int, k: int, distinct: int, shard: type[DeviceShard]
) -> None:
    random = np.random.default_rng(seed)
    rows = unit(random, 3, count, 8)[:, random.integers(0, min(distinct, count), count)]
    queries = unit(random, images, 8)
    opened = shard(FloatShard(rows, None), CPU)
    for _ in range(2):  # the second time, from what stayed
        similarities, found = search_shard(opened, queries, k)
        assert (found[:, :, :count] == plain(rows, queries, min(k, count))).all()
        assert np.isneginf(similarities[:, :, count:]).all()


@pytest.mark.parametrize("damage", [np.nan, 3.0])
def test_a_row_that_is_not_of_unit_length_is_an_error(damage: float) -> None:
    rows = unit(np.random.default_rng(0), 2, 30, 8)
    rows[1, 7] = damage
    with pytest.raises(DamagedIndexError, match="not of unit length"):
        search_shard(
            DeviceShard(FloatShard(rows, None), CPU), np.ones((1, 8), np.float32) / 8**0.5, 2
        )


def test_more_than_a_row_block_and_as_many_as_faiss_gives() -> None:
    random = np.random.default_rng(2)
    rows, queries = unit(random, 1, 5000, 4), unit(random, 2, 4)
    opened = DeviceShard(FloatShard(rows, None), CPU)
    for k in (1, 2048):
        assert (search_shard(opened, queries, k)[1] == plain(rows, queries, k)).all()
