"""The only way text reaches a terminal, so that names and paths cannot control it."""

from __future__ import annotations

import shutil
import sys
import textwrap
import threading
from collections.abc import Sequence
from typing import TypeVar

import click

from idia_index.support.text import printable

T = TypeVar("T")

_verbosity = 0
_lock = threading.RLock()
_drawn = False


def set_verbosity(level: int) -> None:
    """-1: only results and errors (`-q`); 0: also notes; 1: all notes, and progress (`-v`)."""
    global _verbosity
    _verbosity = level


def is_quiet() -> bool:
    """Whether `-q` was given."""
    return _verbosity < 0


def is_verbose() -> bool:
    """Whether `-v` was given."""
    return _verbosity > 0


def say(text: str = "", *, err: bool = False) -> None:
    """Writes lines to standard output, or to standard error.

    Control characters, invisible characters and those missing from the terminal's encoding are
    shown as escapes.
    """
    stream = sys.stderr if err else sys.stdout
    encoding = stream.encoding or "utf-8"
    text = printable(text)
    if stream.isatty():
        text = "\n".join(map(_fitted, text.split("\n")))
    shown = text.encode(encoding, "backslashreplace").decode(encoding)
    with _lock:
        clear()
        click.echo(shown, err=err)


def _fitted(line: str) -> str:
    """An item of a list, wrapped at the terminal's width; any other line as it is."""
    if not line.startswith("- "):
        return line
    width = shutil.get_terminal_size().columns
    return textwrap.fill(
        line, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )


def draw(line: str) -> None:
    """Draws a line on a terminal's standard error, replacing the one drawn before."""
    global _drawn
    columns = shutil.get_terminal_size().columns
    with _lock:
        click.echo(f"\r\x1b[K{printable(line)[: columns - 1]}", nl=False, err=True)
        _drawn = True


def clear() -> None:
    """Erases the line that was drawn."""
    global _drawn
    with _lock:
        if _drawn:
            click.echo("\r\x1b[K", nl=False, err=True)
            _drawn = False


def note(text: str) -> None:
    """Writes a note to standard error, unless `-q` was given."""
    if not is_quiet():
        say(f"note: {text}", err=True)


def notes(texts: Sequence[str], most: int, more: str = "more") -> None:
    """Notes the first `most` texts and how many are left; all of them with `-v`."""
    shown = texts if is_verbose() else texts[:most]
    for text in shown:
        note(text)
    if len(texts) > len(shown):
        note(f"and {len(texts) - len(shown):,} {more} (-v shows all)")
