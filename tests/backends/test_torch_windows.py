"""Attention in windows: every node sees exactly what its tree's mask allows."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("open_clip")
from hypothesis import given, settings
from hypothesis import strategies as st

from idia_index.backends.torch_cpu_text import cut_windows


def random_trees(trees: int, nodes: int, seed: int, ordered: bool) -> np.ndarray:
    """Ancestor masks of random trees: in the order of a walk down each, or of any."""
    random = np.random.default_rng(seed)
    mask = np.zeros((trees, nodes, nodes), np.bool_)
    for tree in mask:
        path: list[int] = []
        for node in range(nodes):
            # In a walk, a node's parent is on the path to the node before.
            if node:
                path = path[: random.integers(1, len(path) + 1)]
                tree[node] = tree[path[-1] if ordered else random.integers(0, node)]
            tree[node, node] = True
            path = [*path, node]
    return mask


@settings(max_examples=60, derandomize=True)
@given(
    trees=st.integers(1, 3),
    windows=st.integers(1, 5),
    size=st.sampled_from([1, 4, 16]),
    seed=st.integers(0, 2**32),
    ordered=st.booleans(),
)
def test_windows_see_what_the_mask_says(
    trees: int, windows: int, size: int, seed: int, ordered: bool
) -> None:
    n = windows * size
    mask = random_trees(trees, n, seed, ordered)
    keys, sees = cut_windows(mask, size)
    assert keys.shape[0] == trees * windows and sees.shape == (trees * windows, size, keys.shape[1])
    for window in range(trees * windows):
        for i in range(size):
            tree, node = divmod(window * size + i, n)
            seen = keys[window, sees[window, i]].tolist()
            assert len(set(seen)) == len(seen)
            assert sorted(seen) == (tree * n + np.flatnonzero(mask[tree, node])).tolist()


def test_a_walk_has_few_nodes_above_a_window() -> None:
    mask = random_trees(1, 512, 0, True)
    depth = int(mask.sum(axis=2).max())
    keys, _ = cut_windows(mask, 32)
    assert keys.shape[1] <= 32 + depth + 16
