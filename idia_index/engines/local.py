"""The local engine: runs inputs one by one in this process, writing each during the next."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from idia_index.errors import InputError
from idia_index.plugins.engine import Engine, Given, Made, Result, Task, Tell
from idia_index.support.concurrency import one_behind


class LocalEngine(Engine):
    """Runs tasks in this process, with the task's own threads."""

    name = "local"
    apart = False

    def __init__(
        self,
        *,
        address: str | None = None,
        workers: int | None = None,
        gpus_per_worker: float | None = None,
    ) -> None:
        if address is not None:
            raise InputError(f"--engine local:{address}: local takes no address; omit it")
        if workers is not None or gpus_per_worker is not None:
            raise InputError(
                "--workers, --gpus-per-worker: the engine local has only this process; pass "
                "--engine ray, or omit them"
            )

    def run(
        self,
        task: Task[Given, Made, Result],
        inputs: Iterable[Given],
        collect: Callable[[Given, Result], None],
        tell: Tell,
    ) -> None:
        """See `Engine.run`; any exception ends the run."""

        def finish(given: Given, made: Made) -> None:
            collect(given, task.finish(given, made))

        task.setup()
        with one_behind() as later:
            for given in inputs:
                later(partial(finish, given, task.compute(given, tell)))

    def runs(self, count: int, most: int, step: int = 1) -> list[range]:
        """All of them: the task has its own threads."""
        return [range(count)]
