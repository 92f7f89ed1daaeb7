"""Picks PyTorch devices by trying them, and maps dtypes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch

from idia_index.errors import InputError
from idia_index.plugins import BACKEND_DTYPES

# In order of preference if none is requested.
DEVICE_TYPES = ("cuda", "mps", "cpu")


def torch_dtype(name: str) -> torch.dtype:
    """The dtype for a name of `BACKEND_DTYPES`.

    Raises:
        InputError: no such dtype.
    """
    if name not in BACKEND_DTYPES:
        raise InputError(f"dtype {name!r} is unknown; available: {', '.join(BACKEND_DTYPES)}")
    dtype: torch.dtype = getattr(torch, name)
    return dtype


def weights_dtype(device: torch.device, dtype: torch.dtype) -> torch.dtype:
    """The dtype in which a model that computes in `dtype` on a device keeps its weights.

    For bfloat16 on a CPU or with CUDA that is float32: only products are computed in bfloat16,
    not the residual stream and normalisation, which is far more accurate and nearly as fast on a
    CPU (`benchmarks/gpu` measures it on a GPU).
    """
    mixed = device.type in ("cpu", "cuda") and dtype is torch.bfloat16
    return torch.float32 if mixed else dtype


def products_in(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[Any]:
    """Computes products of float32 weights in bfloat16 if requested; otherwise does nothing."""
    if weights_dtype(device, dtype) is dtype:
        return nullcontext()
    return torch.autocast(device.type, dtype)


def pick_device(name: str | None, dtype: torch.dtype = torch.float32) -> torch.device:
    """The requested device, or the best that works.

    Args:
        name: "cpu", "cuda", "cuda:1", "mps"; None: the first that works.
        dtype: the dtype that it must compute in.

    Raises:
        InputError: no such device, or it does not work.
    """
    if name is None:
        return next(
            device
            for device in map(torch.device, DEVICE_TYPES)
            if device.type == "cpu" or why_not(device, dtype) is None
        )
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(_unknown(name)) from error
    if device.type not in DEVICE_TYPES:
        raise InputError(_unknown(name))
    problem = why_not(device, dtype)
    if problem is not None:
        raise InputError(f"device {name!r} does not work: {problem}; try device cpu")
    return device


def _unknown(name: str) -> str:
    return f"device {name!r} is unknown; available: {', '.join(DEVICE_TYPES)} (or cuda:1, ...)"


def why_not(device: torch.device, dtype: torch.dtype = torch.float32) -> str | None:
    """Multiplies two small matrices on a device; None if it works, else what went wrong."""
    if device.type == "cuda" and not torch.cuda.is_available():
        return "PyTorch finds no CUDA device"
    if device.type == "mps" and not torch.backends.mps.is_available():
        return "PyTorch finds no Metal device"
    try:
        ones = torch.ones(8, 8, dtype=dtype, device=device)
        right = bool((ones @ ones == 8).all().item())
    # A broken driver may raise anything; all that counts is that nothing was computed.
    except Exception as error:  # noqa: BLE001
        return (str(error).splitlines() or [type(error).__name__])[0]
    return None if right else "it computes wrong products"


def describe_device(device: torch.device) -> str:
    """The device for display: "cpu (2 threads)", "cuda:0 (NVIDIA H200)"."""
    if device.type == "cpu":
        threads = torch.get_num_threads()
        return f"cpu ({threads} thread{'s' if threads > 1 else ''})"
    if device.type == "cuda":
        index = torch.cuda.current_device() if device.index is None else device.index
        return f"cuda:{index} ({torch.cuda.get_device_name(index)})"
    return str(device)


@contextmanager
def shared_threads(workers: int) -> Iterator[Callable[[], None]]:
    """Around `workers` threads that compute side by side; gives what each of them calls first."""
    threads = torch.get_num_threads()
    try:
        yield lambda: torch.set_num_threads(max(1, threads // workers))
    finally:  # what a worker sets is also what later threads begin with
        torch.set_num_threads(threads)


def _one_thread() -> None:
    """Limits a forked process to one thread: its parent's threads do not exist in it, and a
    product would wait for them forever."""
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_one_thread)
