"""Progress of long work, on standard error."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from types import TracebackType
from typing import TypeVar

from idia_index.cli import terminal

S = TypeVar("S", bound="Stages")

RECENT = 20.0  # seconds of the past from which the remaining time is estimated
SOON = 0.5  # seconds after which the line first appears


class Stages:
    """A line that says what is being done, how far it has got, and how much longer it will take.

    On a terminal a thread draws it, so that it moves while a library computes; otherwise it is
    written every ten seconds.
    """

    def __init__(self, shown: bool | None) -> None:
        """`shown` None: only on a terminal, or with `-v`."""
        self._terminal = sys.stderr.isatty()
        if shown is None:
            shown = (self._terminal or terminal.is_verbose()) and not terminal.is_quiet()
        self._shown = shown
        self._every = 0.2 if self._terminal else 10.0
        self._stage, self._done, self._total = "", 0, 0
        self._began = time.monotonic()
        self._samples: deque[tuple[float, int]] = deque()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self: S) -> S:
        if self._shown and self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._end_stage()

    def __call__(self, stage: str, done: int = 0, total: int = 0) -> None:
        """Sets what is being done, how much of it is done, and the total (0: unknown)."""
        now = time.monotonic()
        if stage != self._stage:
            self._end_stage()
            self._stage, self._began = stage, now
            self._samples.clear()
        self._done, self._total = done, total
        self._samples.append((now, done))
        while now - self._samples[0][0] > RECENT and len(self._samples) > 2:
            self._samples.popleft()

    def line(self) -> str:
        """The current line."""
        now = time.monotonic()
        elapsed = now - self._began
        if not self._done or not self._total:
            return f"{self._stage} ({elapsed:,.0f} s)"
        rate = self._rate(now)
        if self._done >= self._total or not rate:
            return f"{self._stage}: {self._done:,} of {self._total:,}"
        left = (self._total - self._done) / rate
        return (
            f"{self._stage}: {self._done:,} of {self._total:,} ({rate:,.0f}/s, {_time(left)} left)"
        )

    def _rate(self, now: float) -> float:
        """The recent rate, so that a slow start is soon forgotten."""
        first, before = self._samples[0]
        if self._done == before:
            return self._done / (now - self._began)
        return (self._done - before) / max(now - first, 1e-9)

    def _run(self) -> None:
        wait = SOON if self._terminal else self._every
        while not self._ended.wait(wait):
            wait = self._every
            if self._stage:
                self._draw()

    def _draw(self) -> None:
        if self._terminal:
            terminal.draw(self.line())
        else:
            terminal.say(self.line(), err=True)

    def _end_stage(self) -> None:
        """Leaves a stage with a count on the screen; on a terminal, clears one without."""
        if self._shown and self._stage and self._total:
            terminal.clear()
            terminal.say(self.line(), err=True)
        elif self._terminal:
            terminal.clear()
        self._stage = ""


def _time(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:,.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:,.0f} min"
    return f"{seconds / 3600:,.1f} h"
