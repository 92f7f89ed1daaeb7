"""Matrix products for scoring, one thread each, and how far their results can be off."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from idia_index.records import Float32


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
    return sys.modules.get("torch")


def torch_if_installed() -> Any | None:
    """PyTorch, imported, or None."""
    try:
        import torch
    except ImportError:
        return None
    return torch


@contextmanager
def one_thread(torch: Any) -> Iterator[None]:
    """This thread's products run on it alone; the setting is put back afterwards.

    Searches run a product a processor at a time. Products that share processors wait for each
    other at the end of each, which costs most where other programs run as well.
    """
    before = torch.get_num_threads()
    if before == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def product(queries: Float32, rows: Float32) -> Float32:
    """float32 [M, n] of [M, D] and [n, D], rounded as `rounding_bound` says."""
    torch = torch_if_loaded()
    if torch is None or not hasattr(torch, "from_numpy"):
        with np.errstate(all="ignore"):  # rows that are no numbers are found by their scores
            out: Float32 = np.matmul(queries, rows.T)
        return out
    with one_thread(torch), torch.inference_mode():
        found: Float32 = torch.mm(torch_view(torch, queries), torch_view(torch, rows).T).numpy()
    return found


def torch_view(torch: Any, array: Any) -> Any:
    """A tensor over the memory of an array; of a copy where the array may not be written to.

    PyTorch warns of memory that it could write to and should not. Shards are mapped so that
    writing, which nobody does, would stay in this process.
    """
    return torch.from_numpy(array if array.flags.writeable else array.copy())
