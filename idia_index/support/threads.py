"""How many threads search, and that a product of each takes no more than its own."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from threadpoolctl import ThreadpoolController

_most: int | None = None


def take_threads(most: int) -> None:
    """Leaves this process so many threads, as where workers share a machine.

    Libraries read it from the environment when they are imported.
    """
    global _most
    _most = most
    for name in ("OMP_NUM_THREADS", "IDIA_INDEX_THREADS"):
        os.environ[name] = str(most)


def processors() -> list[int]:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def workers() -> int:
    """Threads that search: one for each processor, or as many as `take_threads` leaves."""
    return _most or len(processors())


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """NumPy's products run on one thread each, whichever asks for them; put back at the end.

    Products of several threads that each ask for all processors wait for one another: a search
    without PyTorch then takes twice the time. Only the main thread can set this (OpenBLAS ignores
    others), so that searches of other threads leave it as it is.
    """
    if threading.current_thread() is threading.main_thread():
        with _process_wide().limit(limits=1):
            yield
    else:
        yield


@lru_cache(maxsize=1)
def _process_wide() -> ThreadpoolController:
    """The BLAS libraries whose threads are the process's, as those of NumPy's wheels are.

    Of those with OpenMP, each thread has a setting of its own.
    """
    return ThreadpoolController().select(user_api="blas").select(threading_layer="pthreads")
