"""Chooses the number of threads: the user's, else the cores that the process may use."""

from __future__ import annotations

import math
import os
from pathlib import Path

from idia_index.errors import InputError
from idia_index.support.threads import processors

SWITCH = "IDIA_INDEX_THREADS"
MAX_THREADS = 1024
_CPU = Path("/sys/devices/system/cpu")
_CGROUP = Path("/sys/fs/cgroup")


def thread_count(wanted: int | None = None) -> int:
    """Threads on the CPU: `wanted`, else `IDIA_INDEX_THREADS`, else `usable_cores`.

    Raises:
        InputError: not a number from 1 to `MAX_THREADS`.
    """
    text = os.environ.get(SWITCH, "") if wanted is None else str(wanted)
    if not text:
        return usable_cores()
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MAX_THREADS):
        what = SWITCH if wanted is None else "threads"
        raise InputError(f"{what} is {text[:40]}; set 1 to {MAX_THREADS}, or omit it for all cores")
    return int(text)


def usable_cores() -> int:
    """Cores this process may use, at least 1; two hyperthreads of a core count as one.

    In matrix products one thread saturates a core; a second one only slows it down.
    """
    cores = {_siblings(cpu) for cpu in processors()}
    quota = _quota()
    return max(1, min(len(cores), math.ceil(quota) if quota else len(cores)))


def _siblings(cpu: int) -> str:
    """The processors that share a core with this one; only itself if the system does not say."""
    for name in ("core_cpus_list", "thread_siblings_list"):
        if text := _read(_CPU / f"cpu{cpu}" / "topology" / name):
            return text
    return str(cpu)


def _quota() -> float | None:
    """The cgroup's CPU quota in processors; None if unlimited."""
    limit = _read(_CGROUP / "cpu.max").split()  # version 2
    if not limit:
        both = (_CGROUP / "cpu" / f"cpu.cfs_{part}_us" for part in ("quota", "period"))
        limit = [text for text in map(_read, both) if text]
    try:
        time, period = map(int, limit)
    except ValueError:  # "max", or no cgroup at all
        return None
    return time / period if time > 0 and period > 0 else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
