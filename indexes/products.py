"""Computes matrix products for scoring, one thread each, and bounds their rounding errors."""

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

TRIES = 4  # products timed on each path before the fastest is kept


def rounding_bound(dim: int) -> float:
    """Maximum error of a float32 dot product of two unit rows of length `dim`, in any order.

    Higham's bound, dim * u / (1 - dim * u) with u = 2**-24, times the Cauchy-Schwarz bound 1
    on the sum of the absolute products; the last factor allows for rows of unit length only to
    float32 accuracy.
    """
    gamma = dim * 2.0**-24
    return gamma / (1 - gamma) * (1 + 1e-5)


def torch_if_loaded() -> Any | None:
    """PyTorch if already imported (as by the open_clip backend), else None.

    Importing it takes seconds, which a float32 search does not make up for.
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
    """Limits this thread's products to one core; restored when the thread ends.

    Searches run one product per core. The threads of a shared product wait for each other at its
    end, which is slow when other programs run as well.
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
    """Picks the fastest of several ways to compute a product, measured while computing.

    It depends on the library, the processor and the number of queries: on one machine PyTorch's
    default takes twice as long as its alternative, on another they are equal
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
        # Per row, because runs of rows differ in length.
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
    """PyTorch's float32 products: its BLAS, and oneDNN if available and working."""
    paths: dict[str, Product] = {"blas": lambda queries, rows: torch.mm(queries, rows.T)}
    try:
        onednn = torch.ops.mkldnn._linear_pointwise

        def linear(queries: Any, rows: Any) -> Any:
            return onednn(queries, rows, None, "none", [], "")

        tried = linear(torch.eye(3, 5), torch.full((2, 5), 3.0))
        if tried.shape == (3, 2) and bool((tried == 3).all()):
            paths["onednn"] = linear
    except (AttributeError, RuntimeError, TypeError):
        pass  # not in this PyTorch: only its BLAS
    return Fastest(paths)


def product(queries: Float32, rows: Float32) -> Float32:
    """float32 [M, n] of [M, D] and [n, D], within `rounding_bound`."""
    torch = torch_if_loaded()
    if torch is None:
        with np.errstate(all="ignore"):  # NaN rows are found by their scores
            out: Float32 = np.matmul(queries, rows.T)
        return out
    alone.begin(torch)
    with torch.inference_mode():
        asked, stored = torch_view(torch, queries), torch_view(torch, rows)
        found: Float32 = torch_product(torch)(asked, stored).numpy()
    return found


def torch_view(torch: Any, array: Any) -> Any:
    """A tensor over the memory of an array, or of a copy if the array is read-only.

    PyTorch warns about read-only memory. Shards are mapped so that a write, which never happens,
    would stay in this process.
    """
    return torch.from_numpy(array if array.flags.writeable else array.copy())


def float_scores(product: Float32, error: float) -> Scores:
    """Scores [M, t, n] of float32 rows; PyTorch finds the largest faster than NumPy."""
    scores = Scores.of_array(product, error)
    torch = torch_if_loaded()
    if torch is None:
        return scores
    return replace(scores, best_of=lambda found: _tensor_best(torch_view(torch, found)))


def tensor_scores(product: Any, error: Float64, base: Float64, relative: float) -> Scores:
    """Scores from a product tensor [M, t, n] of any dtype on any device."""
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
