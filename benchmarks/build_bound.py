"""What bounds encoding: the time that matrix products alone would take.

The linear layers of all nodes that are computed, at the rate of PyTorch's fastest product of the
same shape in the same run, warmed up and with reused output. Attention, which packs make small,
is left out, so the bound is a little lower than could be reached.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from idia_index.backends.torch_devices import weights_dtype
from idia_index.backends.torch_products import has_onednn, linear
from idia_index.encode.packs import cut_runs, sort_prompts
from idia_index.encode.tokens import grid_tokens
from idia_index.prompts.grid import PromptGrid

REPEATS = 12


def seconds(work: Callable[[], Any]) -> float:
    """Wall time; with one thread the process's own, which nothing else on the machine changes."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    start = clock()
    work()
    return clock() - start


@dataclass(frozen=True)
class Work:
    """What a tower computes for a grid.

    Attributes:
        nodes, reads: nodes of all packs, and prompts, which the last MLP alone is computed for.
        trees: packs.
        width, layers: of the tower.
    """

    nodes: int
    reads: int
    trees: int
    width: int
    layers: int

    def products(self) -> list[tuple[int, int, int, float]]:
        """Rows at a time, outputs, inputs and FLOP of all products of each shape."""
        found = []
        rows, read_rows = self.nodes // self.trees, max(1, self.reads // self.trees)
        for wide, deep in ((3, 1), (1, 1), (4, 1), (1, 4)):
            n, k = wide * self.width, deep * self.width
            # The last layer's queries, keys and values are of all nodes.
            whole = self.layers if wide == 3 else self.layers - 1
            found.append((rows, n, k, 2.0 * whole * self.nodes * n * k))
            if wide != 3:
                found.append((read_rows, n, k, 2.0 * self.reads * n * k))
        return found


def measure_work(tower: Any, grid: PromptGrid) -> Work:
    """The nodes that packs of a grid have, each tree's repeated path counted."""
    tokens = grid_tokens(tower.tokenizer, grid, 0, len(grid.names), tower.context_length)
    prompts = sort_prompts(tokens)
    runs = cut_runs(prompts, tower.pack_nodes)
    nodes = prompts.nodes + sum(int(prompts.shared[start]) for start, _ in runs)
    width = tower.module.positional_embedding.shape[1]
    return Work(nodes, len(tokens), len(runs), width, len(tower.module.blocks))


def product_rates(shape: tuple[int, int, int], dtype: torch.dtype) -> dict[str, float]:
    """FLOP/s of [m, k] x [k, n]: PyTorch's product into an output, and the tower's own.

    The tower's operator takes no output; what it allocates is the block that the call before
    gave back, which is the same.
    """
    m, n, k = shape
    x, weight = torch.randn(m, k).to(dtype), torch.randn(n, k).to(dtype)
    out = torch.empty(m, n, dtype=dtype)
    ways: dict[str, Callable[[], Any]] = {"mm": lambda: torch.mm(x, weight.T, out=out)}
    if has_onednn(dtype):
        product = linear(weight, torch.randn(n), dtype)
        ways["oneDNN"] = lambda: product(x)
    found = {}
    with torch.inference_mode():
        for name, way in ways.items():
            for _ in range(3):
                way()
            found[name] = 2 * m * n * k / statistics.median(seconds(way) for _ in range(REPEATS))
    return found


def bound_seconds(work: Work, dtype: torch.dtype) -> float:
    """Time of all linear layers at the best rate of each shape, measured now.

    The first layer's queries, keys and values in the dtype of the weights, as they are computed.
    """
    own, total = weights_dtype(torch.device("cpu"), dtype), 0.0
    for m, n, k, flop in work.products():
        first = flop / work.layers if n == 3 * work.width and own is not dtype else 0.0
        total += (flop - first) / max(product_rates((m, n, k), dtype).values())
        if first:
            total += first / max(product_rates((m, n, k), own).values())
    return total
