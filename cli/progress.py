"""Progress of long work, on standard error."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click


class Progress:
    """A line that says how far work is: redrawn on a terminal, else written now and then."""

    def __init__(self, what: str, unit: str, shown: bool | None) -> None:
        """`shown` None shows it on a terminal only."""
        self._what, self._unit = what, unit
        self._terminal = sys.stderr.isatty()
        self._shown = self._terminal if shown is None else shown
        self._every = 0.1 if self._terminal else 10.0
        self._began = self._last = time.monotonic()
        self._drawn = False

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if not self._shown or (done < total and now - self._last < self._every):
            return
        self._last = now
        elapsed = now - self._began
        rate = done / elapsed if elapsed > 0 else 0.0
        left = f", {(total - done) / rate:.0f} s left" if rate and done < total else ""
        line = f"{self._what}: {done:,} of {total:,} {self._unit} ({rate:,.0f}/s{left})"
        click.echo(f"\r\x1b[K{line}" if self._terminal else line, nl=not self._terminal, err=True)
        self._drawn = True

    def end(self) -> None:
        """Leaves the last state on a line of its own."""
        if self._drawn and self._terminal:
            click.echo(err=True)


@contextmanager
def progress(what: str, unit: str, shown: bool | None = None) -> Iterator[Progress]:
    """Progress of one piece of work."""
    bar = Progress(what, unit, shown)
    try:
        yield bar
    finally:
        bar.end()
