"""The one way in which text reaches a terminal: names and paths cannot steer it."""

from __future__ import annotations

import sys

import click

from idia_index.support.text import printable


def say(text: str = "", *, err: bool = False) -> None:
    """Writes lines to standard output, or to standard error.

    Control and invisible characters are shown as escapes, and so is what the terminal's encoding
    lacks.
    """
    encoding = (sys.stderr if err else sys.stdout).encoding or "utf-8"
    shown = printable(text).encode(encoding, "backslashreplace").decode(encoding)
    click.echo(shown, err=err)
