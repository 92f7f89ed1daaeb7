"""Work in a fork of this process: what it sets stays there, and nothing is imported anew."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable


def in_a_fork(work: Callable[..., object], *arguments: object) -> None:
    """Calls a function in a process of its own, and fails where it raises."""
    process = multiprocessing.get_context("fork").Process(target=work, args=arguments)
    process.start()
    process.join(400)
    try:
        assert process.exitcode == 0  # the traceback is on standard error
    finally:
        process.kill()
