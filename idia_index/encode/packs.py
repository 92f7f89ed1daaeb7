"""Plans packs: prompts as prefix trees, so that shared prefixes are computed once.

A causal text tower's hidden state at a token depends only on the tokens before it, and CLIP reads
the one at the end-of-text token. So prompts with a common prefix share its states, and padding
after the end is wasted work. Sorted prompts are split into runs of at most `nodes` tree nodes;
each run becomes one sequence with position ids and an ancestor mask.
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
    """Prompts sorted by their tokens.

    Attributes:
        tokens: int32 [P, L], including start and end tokens, PAD after the end.
        order: int64 [P], the original row of each sorted prompt.
        lengths: int64 [P], tokens of each.
        shared: int64 [P], leading tokens shared with the prompt before; 0 for the first.
    """

    tokens: Int32
    order: Int64
    lengths: Int64
    shared: Int64

    @property
    def nodes(self) -> int:
        """Nodes of the single tree of all prompts: the minimum to compute."""
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

    A single prompt of more than `nodes` tokens is its own run.
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


def plan_packs(tokens: Int32, *, nodes: int, batch: int = 1) -> Iterator[Pack]:
    """Splits prompts int32 [P, L] (PAD after each end) into packs.

    Args:
        tokens: the prompts, including start and end tokens.
        nodes: maximum nodes of a tree (a longer single prompt is its own tree).
        batch: maximum trees of a pack.

    Yields:
        packs whose `rows` together are 0..P-1, each once.
    """
    if not len(tokens):
        return
    prompts = sort_prompts(tokens)
    runs = cut_runs(prompts, nodes)
    if batch > 1:
        # Groups trees of similar size: a pack is as wide as its largest.
        runs = [runs[i] for i in np.argsort(_sizes(prompts, runs), kind="stable")]
    for first in range(0, len(runs), batch):
        yield _pack(prompts, runs[first : first + batch])


def _pack(prompts: SortedPrompts, runs: list[tuple[int, int]]) -> Pack:
    """The trees of some runs, built together: nodes are numbered consecutively, then split."""
    rows = np.concatenate([np.arange(*run) for run in runs])
    counts = np.array([stop - start for start, stop in runs])
    firsts = np.cumsum(counts) - counts  # the first of each tree's `rows`
    lengths, shared = prompts.lengths[rows], prompts.shared[rows]
    shared[firsts] = 0
    stops = np.cumsum(lengths - shared)
    begins = stops - (lengths - shared)  # the first node that a prompt adds
    depth = np.arange(lengths.max())
    owners, positions = np.nonzero((depth >= shared[:, None]) & (depth < lengths[:, None]))
    # A node's subtree ends where the first later prompt begins that does not share the node.
    after = np.full((len(rows) + 1, len(depth)), stops[-1])
    after[:-1] = np.where(shared[:, None] <= depth, begins[:, None], stops[-1])
    after = np.minimum.accumulate(after[::-1], axis=0)[::-1]

    bases = begins[firsts]
    sizes = np.diff(bases, append=stops[-1])
    n = int(sizes.max())
    moved = np.arange(len(runs)) * n - bases  # from a node's number to b * n + i
    tree = np.repeat(np.arange(len(runs)), counts)
    places = np.arange(stops[-1]) + moved[tree[owners]]
    ids, depths = np.zeros((2, len(runs) * n), np.int64)
    ids[places] = prompts.tokens[rows[owners], positions]
    depths[places] = positions
    ends = np.tile(np.arange(1, n + 1), len(runs))  # padding sees only itself
    ends[places] = after[owners + 1, positions] - bases[tree[owners]]
    # A prompt ends at the last node it adds; one that adds none repeats the previous prompt.
    reads = np.maximum.accumulate(np.where(stops > begins, stops - 1, 0)) + moved[tree]
    shape = (len(runs), n)
    return Pack(
        ids.reshape(shape), depths.reshape(shape), ends.reshape(shape), reads, prompts.order[rows]
    )


def halves(pack: Pack) -> tuple[Pack, Pack]:
    """Splits a pack of at least two trees in two, keeping the order of reads."""
    count, n = len(pack.ids) // 2, pack.ids.shape[1]

    def part(trees: slice, mine: NDArray[np.bool_]) -> Pack:
        ids, positions, ends = (all_[trees] for all_ in (pack.ids, pack.positions, pack.ends))
        return Pack(ids, positions, ends, pack.reads[mine] - trees.start * n, pack.rows[mine])

    first = pack.reads < count * n
    return part(slice(0, count), first), part(slice(count, len(pack.ids)), ~first)
