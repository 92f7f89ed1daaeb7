"""Tokens -> packs: prompts as prefix trees, so that shared prefixes are computed once.

A causal text tower's hidden state at a token depends on the tokens before it alone, and CLIP
reads the one at the end-of-text token. So prompts with a common prefix share its states, and
padding after the end is work for nothing. Sorted prompts are cut into runs of at most `nodes`
tree nodes; each run becomes one sequence with position ids and an ancestor mask.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from idia_index.types import Int64, Pack

PAD = -1
Int32 = NDArray[np.int32]


@dataclass(frozen=True)
class SortedPrompts:
    """Prompts in the order of their tokens.

    Attributes:
        tokens: int32 [P, L], start and end tokens included, PAD after the end.
        order: int64 [P], the row that each sorted prompt had before.
        lengths: int64 [P], tokens of each.
        shared: int64 [P], leading tokens shared with the prompt before; 0 for the first.
    """

    tokens: Int32
    order: Int64
    lengths: Int64
    shared: Int64

    @property
    def nodes(self) -> int:
        """Nodes of the one tree of all prompts: the least that must be computed."""
        return int((self.lengths - self.shared).sum())


def sort_prompts(tokens: Int32) -> SortedPrompts:
    """Sorts prompts int32 [P, L] (PAD after each end) by their tokens."""
    order = np.lexsort(tokens.T[::-1])
    ordered = tokens[order]
    lengths = (ordered != PAD).sum(axis=1)
    equal = np.logical_and.accumulate(ordered[1:] == ordered[:-1], axis=1).sum(axis=1)
    shared = np.zeros(len(tokens), np.int64)
    shared[1:] = np.minimum(equal, lengths[1:])
    return SortedPrompts(ordered, order, lengths, shared)


def cut_runs(prompts: SortedPrompts, nodes: int) -> list[tuple[int, int]]:
    """Runs [start, stop) of sorted prompts, each a tree of at most `nodes` nodes.

    A single prompt of more than `nodes` tokens is a run of its own.
    """
    count = len(prompts.lengths)
    # ends[i]: nodes of the tree of prompts 0..i; a run that starts at i pays the shared part
    # of prompt i again.
    ends = np.cumsum(prompts.lengths - prompts.shared)
    runs: list[tuple[int, int]] = []
    start = 0
    while start < count:
        budget = ends[start] - prompts.lengths[start] + nodes
        stop = max(int(np.searchsorted(ends, budget, side="right")), start + 1)
        runs.append((start, stop))
        start = stop
    return runs


def _sizes(prompts: SortedPrompts, runs: list[tuple[int, int]]) -> Int64:
    """Nodes of the tree of each run, int64 [len(runs)]."""
    starts, stops = np.array(runs, np.int64).T
    ends = np.cumsum(prompts.lengths - prompts.shared)
    sizes: Int64 = ends[stops - 1] - ends[starts] + prompts.lengths[starts]
    return sizes


def _tree(prompts: SortedPrompts, run: tuple[int, int]) -> tuple[Int64, Int64, Int64, Int64]:
    """Nodes of one run: ids [n], positions [n], paths [r, L] (PAD past the end), owners [n]."""
    rows = slice(*run)
    lengths = prompts.lengths[rows, None]
    shared = prompts.shared[rows, None].copy()
    shared[0] = 0
    depth = np.arange(int(lengths.max()))
    owners, positions = np.nonzero((depth >= shared) & (depth < lengths))
    paths = np.full((len(lengths), len(depth)), PAD, np.int64)
    paths[owners, positions] = np.arange(len(owners))
    # A shared node is the last one made at its depth, by a prompt before.
    np.maximum.accumulate(paths, axis=0, out=paths)
    paths[depth >= lengths] = PAD
    ids = prompts.tokens[rows][owners, positions].astype(np.int64)
    return ids, positions, paths, owners


def plan_packs(tokens: Int32, *, nodes: int, batch: int = 1) -> Iterator[Pack]:
    """Cuts prompts int32 [P, L] (PAD after each end) into packs.

    Args:
        tokens: the prompts, start and end tokens included.
        nodes: most nodes of a tree (a longer single prompt is a tree of its own).
        batch: most trees of a pack.

    Yields:
        packs whose `rows` together are 0..P-1, each once.
    """
    if not len(tokens):
        return
    prompts = sort_prompts(tokens)
    runs = cut_runs(prompts, nodes)
    if batch > 1:
        # Trees of one size go together: a pack is as wide as its largest.
        runs = [runs[i] for i in np.argsort(_sizes(prompts, runs), kind="stable")]
    for first in range(0, len(runs), batch):
        yield _pack(prompts, runs[first : first + batch])


def _pack(prompts: SortedPrompts, runs: list[tuple[int, int]]) -> Pack:
    trees = [_tree(prompts, run) for run in runs]
    n = max(len(ids) for ids, *_ in trees)
    ids = np.zeros((len(runs), n), np.int64)
    positions = np.zeros((len(runs), n), np.int64)
    mask = np.zeros((len(runs), n, n), np.bool_)
    # Padding sees itself: a softmax over nothing would be not a number.
    mask[:, np.arange(n), np.arange(n)] = True
    reads = []
    for b, ((start, stop), (tree_ids, tree_positions, paths, owners)) in enumerate(
        zip(runs, trees, strict=True)
    ):
        size = len(tree_ids)
        ids[b, :size] = tree_ids
        positions[b, :size] = tree_positions
        above = np.arange(paths.shape[1]) <= tree_positions[:, None]
        node, depth = np.nonzero(above)
        mask[b, node, paths[owners[node], depth]] = True
        reads.append(b * n + paths[np.arange(stop - start), prompts.lengths[start:stop] - 1])
    rows = np.concatenate([prompts.order[start:stop] for start, stop in runs])
    return Pack(ids, positions, mask, np.concatenate(reads), rows)
