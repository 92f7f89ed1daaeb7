"""Progress of long work, on standard error."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TypeVar

import click

S = TypeVar("S", bound="Stages")


class Stages:
    """A line that says how far work is, for work in several stages.

    Redrawn ten times a second on a terminal, else written every ten seconds.
    """

    def __init__(self, shown: bool | None) -> None:
        """`shown` None shows it on a terminal only."""
        self._terminal = sys.stderr.isatty()
        self._shown = self._terminal if shown is None else shown
        self._every = 0.1 if self._terminal else 10.0
        self._stage: str | None = None
        self._began = self._last = 0.0

    def __enter__(self: S) -> S:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end_line()

    def __call__(self, stage: str, done: int, total: int) -> None:
        if not self._shown:
            return
        now = time.monotonic()
        if stage != self._stage:
            self._end_line()
            self._stage, self._began, self._last = stage, now, now - self._every
        if done < total and now - self._last < self._every:
            return
        self._last = now
        self._draw(self._line(done, total, now - self._began))

    def _line(self, done: int, total: int, elapsed: float) -> str:
        if not done or elapsed <= 0:
            return f"{self._stage}"
        rate = done / elapsed
        left = f", {(total - done) / rate:,.0f} s left" if done < total else ""
        return f"{self._stage}: {done:,} of {total:,} ({rate:,.0f}/s{left})"

    def _draw(self, line: str) -> None:
        click.echo(f"\r\x1b[K{line}" if self._terminal else line, nl=not self._terminal, err=True)

    def _end_line(self) -> None:
        if self._stage is not None and self._terminal:
            click.echo(err=True)


class Progress(Stages):
    """The same for work of one stage."""

    def __init__(self, what: str, shown: bool | None) -> None:
        super().__init__(shown)
        self._what = what

    def advance(self, done: int, total: int) -> None:
        """Says how far it is."""
        self(self._what, done, total)
