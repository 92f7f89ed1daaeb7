"""Ctrl-C: one line and exit code 1, whatever a library does with the exception.

Only the command does this; programs that import the package keep their own handling.
"""

from __future__ import annotations

import _thread
import atexit
import os
import signal
import sys
import threading
from types import FrameType

_asked = False


def watch() -> None:
    """Records every interrupt from here on, in addition to raising it."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _note)
        sys.unraisablehook = _again
        # Nothing is left to interrupt by then, and Python's own cleanup would complain about it.
        atexit.register(ignore)


def ignore() -> None:
    """Ignores further interrupts: nothing is left to interrupt."""
    if signal.getsignal(signal.SIGINT) is _note:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _note(number: int, frame: FrameType | None) -> None:
    global _asked
    _asked = True
    raise KeyboardInterrupt


def _again(unraisable: sys.UnraisableHookArgs) -> None:
    """Raises an interrupt again that came in a finaliser, where no exception can be raised."""
    if unraisable.exc_type is KeyboardInterrupt:
        threading.Timer(0.01, _thread.interrupt_main).start()
    else:
        sys.__unraisablehook__(unraisable)


def asked() -> bool:
    """Whether the user asked to stop; libraries turn the exception into one of their own."""
    return _asked


def leave(code: int) -> None:
    """Exits; after an interrupt, without libraries' finalisers, which it may have broken."""
    if _asked:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
