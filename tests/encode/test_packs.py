"""Packs: every prompt's tokens are a path in its tree, and it sees nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from idia_index.encode.packs import PAD, plan_packs, sort_prompts
from idia_index.types import Pack

START, END = 98, 99

prompt = st.lists(st.integers(0, 3), max_size=9).map(lambda body: [START, *body, END])


def matrix(prompts: list[list[int]]) -> np.ndarray:
    out = np.full((len(prompts), max(map(len, prompts))), PAD, np.int32)
    for row, tokens in enumerate(prompts):
        out[row, : len(tokens)] = tokens
    return out


def path(pack: Pack, read: int) -> tuple[list[int], list[int]]:
    """The tokens and positions that the node read sees, by position."""
    tree, node = divmod(read, pack.ids.shape[1])
    seen = np.flatnonzero(pack.mask[tree, node])
    seen = seen[np.argsort(pack.positions[tree, seen])]
    return pack.ids[tree, seen].tolist(), pack.positions[tree, seen].tolist()


@pytest.mark.slow
@given(st.lists(prompt, min_size=1, max_size=60), st.integers(12, 40), st.integers(1, 4))
def test_every_prompt_is_read_once_along_its_own_tokens(
    prompts: list[list[int]], nodes: int, batch: int
) -> None:
    rows = []
    for pack in plan_packs(matrix(prompts), nodes=nodes, batch=batch):
        assert pack.ids.shape[0] <= batch and pack.ids.shape[1] <= nodes
        for read, row in zip(pack.reads.tolist(), pack.rows.tolist(), strict=True):
            tokens, positions = path(pack, read)
            assert tokens == prompts[row]
            assert positions == list(range(len(tokens)))
            rows.append(row)
    assert sorted(rows) == list(range(len(prompts)))


@pytest.mark.slow
@given(st.lists(prompt, min_size=1, max_size=60))
def test_one_tree_has_a_node_per_distinct_prefix(prompts: list[list[int]]) -> None:
    prefixes = {tuple(p[: k + 1]) for p in prompts for k in range(len(p))}
    assert sort_prompts(matrix(prompts)).nodes == len(prefixes)
    (pack,) = plan_packs(matrix(prompts), nodes=10_000)
    assert pack.ids.shape[1] == len(prefixes)
    for node in range(len(prefixes)):
        tokens, _ = path(pack, node)
        assert tuple(tokens) in prefixes


def test_a_prompt_longer_than_the_budget_is_a_tree_of_its_own() -> None:
    prompts = [[START, *range(20), END], [START, END]]
    packs = list(plan_packs(matrix(prompts), nodes=8))
    assert sorted(pack.ids.shape[1] for pack in packs) == [2, 22]


def test_the_same_prompt_twice_is_computed_once_and_given_twice() -> None:
    (pack,) = plan_packs(matrix([[START, 1, END]] * 3), nodes=8)
    assert pack.ids.shape == (1, 3)
    assert pack.reads.tolist() == [2, 2, 2]


def test_no_prompts_no_packs() -> None:
    assert list(plan_packs(np.empty((0, 4), np.int32), nodes=8)) == []


@pytest.mark.parametrize("batch", [1, 3])
def test_padding_sees_itself_only(batch: int) -> None:
    prompts = [[START, a, b, END] for a in range(5) for b in range(a + 1)]
    for pack in plan_packs(matrix(prompts), nodes=9, batch=batch):
        assert pack.mask.diagonal(axis1=1, axis2=2).all()
        assert pack.mask.any(axis=2).all()


def test_trees_of_one_size_share_a_pack() -> None:
    long = [[START, a, *range(20), END] for a in range(40)]
    short = [[START, 50 + a, END] for a in range(3)]
    packs = list(plan_packs(matrix(long + short), nodes=24, batch=4))
    used = sum(len({tuple(p[: k + 1]) for k in range(len(p))}) for p in long) + 1 + 2 * len(short)
    assert sum(pack.ids.size for pack in packs) <= used + 24  # one mixed pack at most
    assert sorted(row for pack in packs for row in pack.rows.tolist()) == list(range(43))
