"""Ctrl-C: one line and exit code 1, whatever a library makes of the exception.

Only the command asks for this; whoever imports the package keeps their own handling.
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
    """Notes every interrupt from here on, beside raising it."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _note)
        sys.unraisablehook = _again
        # Nothing is left to interrupt then, and Python's own tidying up would complain of it.
        atexit.register(ignore)


def ignore() -> None:
    """Lets what is left be done: there is nothing more to interrupt."""
    if signal.getsignal(signal.SIGINT) is _note:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _note(number: int, frame: FrameType | None) -> None:
    global _asked
    _asked = True
    raise KeyboardInterrupt


def _again(unraisable: sys.UnraisableHookArgs) -> None:
    """An interrupt in a finaliser, where no exception can be raised, comes once more after it."""
    if unraisable.exc_type is KeyboardInterrupt:
        threading.Timer(0.01, _thread.interrupt_main).start()
    else:
        sys.__unraisablehook__(unraisable)


def asked() -> bool:
    """Whether somebody asked to stop; libraries turn the exception into one of their own."""
    return _asked


def leave(code: int) -> None:
    """Exits; after an interrupt without the finalisers of libraries, which it may have broken."""
    if _asked:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
