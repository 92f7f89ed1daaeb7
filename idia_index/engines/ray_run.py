"""Runs a task on a Ray cluster: schedules inputs, retries failures, and keeps results in order.

Each worker has two inputs, so that it never waits for the next, unless the task says otherwise;
the last inputs go to idle workers. At most a few results per worker wait for an earlier one, so
that memory stays bounded however many inputs there are.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from idia_index._version import __version__
from idia_index.engines.ray_cluster import Size, ray
from idia_index.engines.ray_worker import Done, Worker
from idia_index.errors import IdiaIndexError, LostWorkError
from idia_index.plugins.engine import Tell
from idia_index.support.text import listed

TRIES = 3
IN_FLIGHT = 2  # inputs per worker: one is computed, one is finished or waits
AHEAD = 4  # inputs per worker that are started but not collected
PATIENCE = 300.0  # seconds without any worker until the run is aborted
_TOLD = 3  # maximum failed inputs named in the message


@dataclass(eq=False)
class _Piece:
    """An input.

    Attributes:
        place: its index.
        given: the input itself.
        reasons: the reasons of its failures, except when a lost worker had other inputs, which
            may be at fault.
        failed_on: the worker that it failed on last; None: none.
    """

    place: int
    given: Any
    reasons: list[str] = field(default_factory=list)
    failed_on: _Actor | None = None


@dataclass(eq=False)
class _Actor:
    """A worker and its number of inputs; `alone` with one that failed before."""

    handle: Any
    ready: bool = False
    busy: int = 0
    alone: bool = False


@dataclass(frozen=True)
class Idle:
    """A worker without a task, and its resources."""

    handle: Any
    size: Size


_VERSION, _START = "version", "start"
_What: TypeAlias = _Piece | str


class Run:
    """One run; call `all`, then always `release`.

    Args:
        task, inputs, collect, tell: as in `Engine.run`.
        size: number and resources of workers.
        idle: existing workers.
    """

    def __init__(
        self, task: Any, inputs: Iterable[Any], collect: Callable[[Any, Any], None], tell: Tell,
        size: Size, idle: list[Idle],
    ) -> None:  # fmt: skip
        self._idle = idle
        self._task, self._collect, self._tell, self._size = task, collect, tell, size
        self._each = IN_FLIGHT if task.queued else 1
        self._new: Iterator[_Piece] = (_Piece(n, given) for n, given in enumerate(inputs))
        self._first: deque[_Piece] = (
            deque()
        )  # read ahead to know whether there is work for all workers
        self._again: deque[_Piece] = deque()
        self._actors: list[_Actor] = []
        self._asked: dict[Any, tuple[_Actor, _What]] = {}
        self._waiting: dict[int, tuple[_Piece, Done | None]] = {}
        self._lost: list[_Piece] = []
        self._read_all = False  # of the inputs
        self._begun = self._collected = self._ended_early = 0
        self._seen = time.monotonic()

    def all(self) -> None:
        """Runs the task for all inputs; raises as `Engine.run`."""
        for piece in self._new:
            self._first.append(piece)
            if len(self._first) == self._each * self._size.workers:
                break
        else:
            self._read_all = True
        if not self._first:
            return
        self._sent = ray.put(self._task)  # once for all workers
        for _ in range(min(len(self._first), self._size.workers)):
            self._hire()
        while self._feed():
            answers, _ = ray.wait(list(self._asked), num_returns=1, timeout=1.0)
            for answer in answers:
                self._take(answer)
            self._check_patience()
        if self._lost:
            raise LostWorkError(self._told())

    def release(self) -> list[Idle]:
        """Returns idle workers for another run; ends the others."""
        for actor in self._actors:
            if actor.ready and not actor.busy:
                self._idle.append(Idle(actor.handle, self._size))
            else:
                ray.kill(actor.handle)
        return self._idle

    def _hire(self) -> None:
        """Starts a worker; checks its version before it gets the task."""
        size = self._size
        while self._idle:
            old = self._idle.pop()
            if (old.size.cpus, old.size.gpus) == (size.cpus, size.gpus):
                self._actors.append(_Actor(old.handle))
                self._start(self._actors[-1])
                return
            ray.kill(old.handle)
        options = {
            "num_cpus": size.cpus, "num_gpus": size.gpus, "max_concurrency": IN_FLIGHT,
            "scheduling_strategy": "SPREAD",
        }  # fmt: skip
        actor = _Actor(ray.remote(Worker).options(**options).remote(size.cpus))
        self._actors.append(actor)
        self._asked[actor.handle.version.remote()] = (actor, _VERSION)

    def _feed(self) -> bool:
        """Gives all workers as many inputs as they can take; returns whether work is left."""
        for actor in self._actors:
            while actor.ready and (piece := self._next(actor)) is not None:
                actor.busy += 1
                actor.alone = piece.failed_on is not None
                self._asked[actor.handle.work.remote(piece.given)] = (actor, piece)
        return self._begun > self._collected or bool(self._first) or not self._read_all

    def _next(self, actor: _Actor) -> _Piece | None:
        """A worker's next input. A failed input runs alone, on another worker if possible, so that
        others do not fail with it."""
        if self._again:
            if actor.busy or (self._again[0].failed_on is actor and len(self._actors) > 1):
                return None
            return self._again.popleft()
        if actor.alone or actor.busy == self._each:
            return None
        if self._begun - self._collected >= AHEAD * self._size.workers:
            return None
        # The first worker must not take all of a few inputs.
        free = sum(not other.busy for other in self._actors)
        if actor.busy and self._read_all and len(self._first) <= free:
            return None
        piece = self._first.popleft() if self._first else next(self._new, None)
        if piece is None:
            self._read_all = True
        else:
            self._begun += 1
        return piece

    def _take(self, answer: Any) -> None:
        actor, what = self._asked.pop(answer)
        try:
            done = ray.get(answer)
        except ray.exceptions.RayTaskError as error:
            if isinstance(what, str):
                raise IdiaIndexError(f"a worker cannot start ({_short(error)})") from error
            self._failed(actor, what, _short(error))
        except ray.exceptions.RayError as error:
            self._ended(actor, what, error)
        else:
            self._seen = time.monotonic()
            if what == _VERSION:
                self._begin(actor, done)
                return
            if done.refused is not None:
                raise done.refused
            self._ended_early = 0
            if what == _START:
                actor.ready = True
            elif isinstance(what, _Piece):
                self._freed(actor)
                self._tell(done.told)
                self._put(what, done)

    def _begin(self, actor: _Actor, version: str) -> None:
        if version != __version__:
            raise IdiaIndexError(
                f"a worker has idia-index {version}, but this command {__version__}; install "
                "the same version on all machines"
            )
        self._start(actor)

    def _start(self, actor: _Actor) -> None:
        self._asked[actor.handle.start.remote(self._sent, Path.cwd())] = (actor, _START)

    def _freed(self, actor: _Actor) -> None:
        actor.busy -= 1
        actor.alone = False

    def _ended(self, actor: _Actor, what: _What, error: Exception) -> None:
        """Handles a lost worker: its inputs are retried, another worker replaces it."""
        if actor in self._actors:
            self._actors.remove(actor)
            ray.kill(actor.handle)
            if not actor.ready:
                self._ended_early += 1
                if self._ended_early >= TRIES * self._size.workers:
                    raise IdiaIndexError(
                        f"workers exit before they have started ({_short(error)}), perhaps for "
                        "lack of memory for the model; pass fewer --workers"
                    ) from error
            self._hire()
        if isinstance(what, _Piece):
            self._failed(actor, what, "its worker was lost" if actor.alone else None)

    def _failed(self, actor: _Actor, piece: _Piece, reason: str | None) -> None:
        self._freed(actor)
        piece.failed_on = actor
        if reason is not None:
            piece.reasons.append(reason)
        if len(piece.reasons) < TRIES:
            self._again.append(piece)
            return
        self._lost.append(piece)
        self._put(piece, None)

    def _put(self, piece: _Piece, done: Done | None) -> None:
        """Collects a result and those that waited for it."""
        self._waiting[piece.place] = (piece, done)
        while self._collected in self._waiting:
            piece, done = self._waiting.pop(self._collected)
            self._collected += 1
            if done is not None:
                self._collect(piece.given, done.result)

    def _check_patience(self) -> None:
        if any(actor.ready for actor in self._actors):
            self._seen = time.monotonic()
        elif time.monotonic() - self._seen > PATIENCE:
            size = self._size
            raise IdiaIndexError(
                f"no worker has started for {PATIENCE:.0f} s: each needs {size.cpus} processors "
                f"and {size.gpus:g} GPUs, which are not free in the cluster; pass fewer "
                "--workers or --gpus-per-worker"
            )

    def _told(self) -> str:
        named = [f"{piece.given} ({piece.reasons[-1]})" for piece in self._lost]
        told = listed(named, _TOLD, between="; ")
        return f"failed {TRIES} times on workers: {told}; run again: the rest is kept"


def _short(error: Exception) -> str:
    """The cause of a Ray error, in one line."""
    cause = getattr(error, "cause", None) or error
    lines = str(cause).strip().splitlines()
    return f"{type(cause).__name__}: {lines[0]}"[:300] if lines else type(cause).__name__
