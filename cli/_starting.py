"""Ctrl-C while the command is still being imported: one line and exit code 1, as later.

Importing takes a quarter of a second, in which nothing of ours runs yet that could catch an
interrupt. Whoever imports the package as a library keeps their own handling of it.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

_asked = False


def is_command() -> bool:
    """Whether this process is the command, not a program that imports the package."""
    name = os.path.basename(sys.argv[0]) if getattr(sys, "argv", None) else ""  # noqa: PTH119
    return name == "idia-index" or sys.orig_argv[1:3] == ["-m", "idia_index.cli"]


def _stop(number: int, frame: FrameType | None) -> None:
    os.write(2, b"idia-index: interrupted\n")
    os._exit(1)


def _raise(number: int, frame: FrameType | None) -> None:
    global _asked
    _asked = True
    raise KeyboardInterrupt


def started() -> None:
    """From here on an interrupt is an exception again, and what was begun is tidied up."""
    if signal.getsignal(signal.SIGINT) is _stop:
        signal.signal(signal.SIGINT, _raise)
        signal.signal(signal.SIGALRM, _raise)
        sys.unraisablehook = _again


def _again(unraisable: sys.UnraisableHookArgs) -> None:
    """An interrupt in a finaliser, where no exception can be raised, comes once more after it."""
    if unraisable.exc_type is KeyboardInterrupt:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
    else:
        sys.__unraisablehook__(unraisable)


def interrupted() -> bool:
    """Whether somebody asked to stop; libraries turn the exception into one of their own."""
    return _asked


def ending(code: int) -> None:
    """Nothing is left to interrupt; Python's own tidying up would complain of it.

    After an interrupt it would also end with the signal, if that fell into a library's code.
    """
    if is_command():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    if _asked:
        sys.stderr.flush()
        os._exit(code)


if is_command() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, _stop)
