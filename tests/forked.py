"""Runs work in forks of this process, to isolate its settings without new imports."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from multiprocessing.context import ForkProcess

from idia_index.cli.main import main

FORK = multiprocessing.get_context("fork")


def begun(work: Callable[..., object], *arguments: object) -> ForkProcess:
    """A process of its own that calls a function."""
    process = FORK.Process(target=work, args=arguments)
    process.start()
    return process


def in_a_fork(work: Callable[..., object], *arguments: object) -> None:
    """Calls a function in a process of its own, and fails where it raises."""
    process = begun(work, *arguments)
    process.join(400)
    try:
        assert process.exitcode == 0  # the traceback is on standard error
    finally:
        process.kill()


def command(arguments: Sequence[str], before: Callable[[], object] | None = None) -> ForkProcess:
    """A process of its own that runs a command line; its standard output goes nowhere.

    Args:
        arguments: what follows `idia-index`.
        before: called in the process at first.
    """
    return begun(_run, arguments, before, None)


def told(arguments: Sequence[str], before: Callable[[], object] | None = None) -> tuple[int, str]:
    """The exit code of a command line, run as by `command`, and its standard error."""
    reads, writes = os.pipe()
    process = begun(_run, arguments, before, writes)
    os.close(writes)
    with os.fdopen(reads, encoding="utf-8") as errors:
        said = errors.read()
    process.join()
    assert process.exitcode is not None
    return process.exitcode, said


def _run(arguments: Sequence[str], before: Callable[[], object] | None, errors: int | None) -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(1 if errors is None else errors, 2)
    # Those that pytest has put in their places are no terminals' and no pipes'.
    sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
    sys.argv = ["idia-index", *arguments]
    if before is not None:
        before()
    main()
