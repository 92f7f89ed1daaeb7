"""Matrix products for scoring, one thread each, and how far their results can be off."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from idia_index.plugins import Float64, Places, Scores
from idia_index.types import Float32

# (queries [M, D], rows [n, D]) -> [M, n], float32
Product = Callable[[Any, Any], Any]

TRIES = 4  # products that each path computes before the fastest is kept


def rounding_bound(dim: int) -> float:
    """Most that a float32 dot product of two unit rows of length `dim` is off, in any order.

    Higham's bound, dim * u / (1 - dim * u) with u = 2**-24, times the Cauchy-Schwarz bound 1
    on the sum of the absolute products; the last factor allows for rows that are unit length
    only to float32 accuracy.
    """
    gamma = dim * 2.0**-24
    return gamma / (1 - gamma) * (1 + 1e-5)


def torch_if_loaded() -> Any | None:
    """PyTorch if something has imported it (the open_clip backend does), else None.

    Importing it takes seconds, which a float32 search does not win back.
    """
    torch = sys.modules.get("torch")
    return torch if hasattr(torch, "from_numpy") else None


def torch_if_installed() -> Any | None:
    """PyTorch, imported, or None."""
    try:
        import torch
    except ImportError:
        return None
    return torch


class _OneThread(threading.local):
    """Products of this thread run on it alone; the setting is put back when the thread ends.

    Searches run a product a processor at a time. Products that share processors wait for each
    other at the end of each, which costs most where other programs run as well.
    """

    torch: Any = None
    before = 1

    def begin(self, torch: Any) -> None:
        """Called before every product."""
        if self.torch is None and threading.current_thread() is not threading.main_thread():
            self.before, self.torch = torch.get_num_threads(), torch
            torch.set_num_threads(1)

    def __del__(self) -> None:
        if self.torch is not None:
            self.torch.set_num_threads(self.before)


alone = _OneThread()


class Fastest:
    """The fastest of several ways to compute a product here, found out while computing.

    Which it is depends on the library, the processor and the number of queries: on one machine
    PyTorch's own choice takes twice the time of its other one, on another they are equal
    (`benchmarks/search_paths.py`).
    """

    def __init__(self, paths: dict[str, Product]) -> None:
        self._paths = paths
        self._times: dict[int, dict[str, list[float]]] = {}

    def __call__(self, queries: Any, rows: Any) -> Any:
        kept = self._times.setdefault(len(queries).bit_length(), {name: [] for name in self._paths})
        name = min(kept, key=lambda n: (min(len(kept[n]), TRIES), min(kept[n], default=0.0)))
        if len(kept[name]) >= TRIES:
            return self._paths[name](queries, rows)
        began = time.monotonic()
        found = self._paths[name](queries, rows)
        # By the number, because runs of rows differ in length.
        kept[name].append((time.monotonic() - began) / len(rows))
        return found

    def chosen(self) -> dict[int, str]:
        """The fastest path so far for numbers of queries below each power of two."""
        return {
            1 << bits: min(kept, key=lambda name: min(kept[name], default=float("inf")))
            for bits, kept in self._times.items()
        }


@lru_cache(maxsize=1)
def torch_product(torch: Any) -> Fastest:
    """PyTorch's float32 products: its BLAS, and oneDNN where it offers that and it works."""
    paths: dict[str, Product] = {"blas": lambda queries, rows: torch.mm(queries, rows.T)}
    try:
        onednn = torch.ops.mkldnn._linear_pointwise

        def linear(queries: Any, rows: Any) -> Any:
            return onednn(queries, rows, None, "none", [], "")

        tried = linear(torch.eye(3, 5), torch.full((2, 5), 3.0))
        if tried.shape == (3, 2) and bool((tried == 3).all()):
            paths["onednn"] = linear
    except (AttributeError, RuntimeError, TypeError):
        pass  # not in this PyTorch: its BLAS does everything
    return Fastest(paths)


def product(queries: Float32, rows: Float32) -> Float32:
    """float32 [M, n] of [M, D] and [n, D], rounded as `rounding_bound` says."""
    torch = torch_if_loaded()
    if torch is None:
        with np.errstate(all="ignore"):  # rows that are no numbers are found by their scores
            out: Float32 = np.matmul(queries, rows.T)
        return out
    alone.begin(torch)
    with torch.inference_mode():
        asked, stored = torch_view(torch, queries), torch_view(torch, rows)
        found: Float32 = torch_product(torch)(asked, stored).numpy()
    return found


def torch_view(torch: Any, array: Any) -> Any:
    """A tensor over the memory of an array; of a copy where the array may not be written to.

    PyTorch warns of memory that it could write to and should not. Shards are mapped so that
    writing, which nobody does, would stay in this process.
    """
    return torch.from_numpy(array if array.flags.writeable else array.copy())


def float_scores(product: Float32, error: float) -> Scores:
    """Scores [M, t, n] of float32 rows, of which PyTorch finds the largest sooner than NumPy."""
    scores = Scores.of_array(product, error)
    torch = torch_if_loaded()
    if torch is None:
        return scores
    return replace(scores, best_of=lambda found: _tensor_best(torch_view(torch, found)))


def tensor_scores(product: Any, error: Float64, base: Float64, relative: float) -> Scores:
    """Scores whose product is a tensor [M, t, n] of any type, on any device."""
    return Scores(product, error, base, relative, _tensor_best, _tensor_rows)


def _tensor_best(product: Any) -> Float64:
    best: Float64 = product.amax(2).double().cpu().numpy()
    return best


def _tensor_rows(product: Any, places: Places) -> Float32:
    torch = torch_if_installed()
    assert torch is not None
    images, templates = (torch_view(torch, place).to(product.device) for place in places)
    rows: Float32 = product[images, templates].float().cpu().numpy()
    return rows
