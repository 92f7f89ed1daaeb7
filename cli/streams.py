"""Handles closed standard streams and a locale other than UTF-8, before anything is read."""

from __future__ import annotations

import locale
import os
import sys

_TRIED = "IDIA_INDEX_UTF8_TRIED"


def prepare() -> None:
    """Gives every standard stream something to write to, and reads file names as UTF-8."""
    _open_closed()
    _read_names_as_utf8()


def _open_closed() -> None:
    """Else a file opened later would get a closed stream's number, and what is printed to it."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115


def _read_names_as_utf8() -> None:
    """Restarts Python in UTF-8 mode if file names would be read in another encoding.

    They are UTF-8 on nearly every disk, whatever the locale says; output still follows the locale.
    """
    if sys.platform == "win32" or sys.getfilesystemencoding().lower().replace("-", "") == "utf8":
        return
    if os.environ.get(_TRIED) or not sys.executable or not sys.orig_argv[1:]:
        return
    written = f"{locale.getpreferredencoding(False)}:backslashreplace"
    environment = {**os.environ, _TRIED: "1", "PYTHONUTF8": "1"}
    environment.setdefault("PYTHONIOENCODING", written)
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)
