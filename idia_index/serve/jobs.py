"""Long work, one at a time: a queue, progress, and a way to stop."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

from idia_index.errors import IdiaIndexError, InputError
from idia_index.types import StageProgress

State = Literal["waiting", "running", "done", "failed", "cancelled"]
Kind = Literal["ask", "look", "replay", "delete"]
_SHORT = 30.0  # seconds


class CancelledError(Exception):
    """The work was stopped by whoever asked for it."""


@dataclass
class Job:
    """A piece of work.

    Attributes:
        kind: what it does; `wording.job_title` says it to people.
        state: where it stands.
        stage, done, total: what is being done, how much of it is, and how much there is.
        error: why it failed, in one line.
        seconds: that it may take.
    """

    kind: Kind
    state: State = "waiting"
    stage: str = ""
    done: int = 0
    total: int = 0
    error: str = ""
    seconds: float = math.inf
    _begun: float = field(default_factory=time.monotonic, repr=False)
    _end: float = field(default=math.inf, repr=False)
    _stop: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def is_over(self) -> bool:
        """Whether nothing of it will be done any more."""
        return self.state in ("done", "failed", "cancelled")

    @property
    def is_stopping(self) -> bool:
        """Whether it ends at its next step."""
        return self._stop.is_set()

    @property
    def refresh(self) -> int:
        """Seconds until its page looks again: in long work, enough to reach Cancel by keyboard."""
        return 1 if time.monotonic() - self._begun < _SHORT else 5

    def cancel(self) -> None:
        """Stops it at its next step, or before it begins."""
        self._stop.set()
        if self.state == "waiting":
            self.state = "cancelled"

    def progress(self, stage: str, done: int, total: int) -> None:
        """Told by the work how far it is.

        Raises:
            CancelledError: it shall stop.
            InputError: it took too long.
        """
        if self._stop.is_set():
            raise CancelledError
        if time.monotonic() > self._end:
            raise InputError(f"this took more than {self.seconds:,.0f} seconds, and was stopped")
        self.stage, self.done, self.total = stage, done, total

    def run(self, work: Callable[[StageProgress], None]) -> None:
        """Does the work, in the thread that calls."""
        if self._stop.is_set():
            return
        self.state, self._end = "running", time.monotonic() + self.seconds
        try:
            work(self.progress)
            self.state = "done"
        except CancelledError:
            self.state = "cancelled"
        except IdiaIndexError as error:
            self.state, self.error = "failed", str(error)
        except MemoryError:
            self.state, self.error = "failed", "the machine has too little memory for this"
        except Exception as error:
            self.state, self.error = "failed", f"a fault of this program ({type(error).__name__})"
            raise


class Jobs:
    """Does one job at a time, in the order in which they came."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most, self._seconds = most, seconds
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="job")
        self._waiting: list[Job] = []

    def add(self, kind: Kind, work: Callable[[StageProgress], None]) -> Job:
        """Takes a job into the queue; raises InputError where too many wait."""
        self._waiting = [job for job in self._waiting if not job.is_over]
        if len(self._waiting) >= self._most:
            raise InputError(f"{self._most} jobs are waiting already; try again when some are done")
        job = Job(kind, seconds=self._seconds)
        self._waiting.append(job)
        self._pool.submit(job.run, work)
        return job

    def ahead_of(self, job: Job) -> int:
        """How many jobs come before it."""
        open_ones = [each for each in self._waiting if not each.is_over]
        return open_ones.index(job) if job in open_ones else 0

    def close(self) -> None:
        """Stops all of it."""
        for job in self._waiting:
            job.cancel()
        self._pool.shutdown(wait=True, cancel_futures=True)
