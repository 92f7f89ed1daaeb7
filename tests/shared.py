"""Objects created once for all processes that run the tests."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def shared_by_all(base: Path) -> Path:
    """The folder of all processes, given where this one has its files (`getbasetemp`)."""
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Keeps the other processes waiting that come to make the same."""
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
