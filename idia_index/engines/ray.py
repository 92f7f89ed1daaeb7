"""The Ray engine: one actor per worker, each of which loads the model once."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable

from idia_index.engines import ray_cluster
from idia_index.engines.ray_run import Idle, Run
from idia_index.errors import InputError
from idia_index.plugins.engine import Engine, Given, Made, Result, Task, Tell


class RayEngine(Engine):
    """Runs tasks on a Ray cluster, existing or started on this machine."""

    name = "ray"

    def __init__(
        self,
        *,
        address: str | None = None,
        workers: int | None = None,
        gpus_per_worker: float | None = None,
    ) -> None:
        if gpus_per_worker is not None and gpus_per_worker < 0:
            raise InputError(f"--gpus-per-worker {gpus_per_worker:g}: pass 0 or more")
        self._address = address or os.environ.get(ray_cluster.ADDRESS) or None
        self._workers, self._gpus = workers, gpus_per_worker
        ray_cluster.check(self._address)
        # Workers of the previous run, which have imported what the next one needs.
        self._idle: list[Idle] = []

    def close(self) -> None:
        """Ends idle workers, which hold processors until then."""
        for worker in self._idle:
            ray_cluster.ray.kill(worker.handle)
        self._idle = []

    def is_filled_by(self, count: int) -> bool:
        """Whether there are at most that many workers."""
        return self._size().workers <= count

    def runs(self, count: int, most: int, step: int = 1) -> list[range]:
        """So that each worker has some."""
        share = math.ceil(count / (self._size().workers * step)) * step
        return super().runs(count, max(step, min(most, share)), step)

    def run(
        self,
        task: Task[Given, Made, Result],
        inputs: Iterable[Given],
        collect: Callable[[Given, Result], None],
        tell: Tell,
    ) -> None:
        """See `Engine.run`. If a worker dies or fails on an input, another one retries it."""
        run = Run(task, inputs, collect, tell, self._size(), self._idle)
        try:
            run.all()
        finally:
            self._idle = run.release()

    def _size(self) -> ray_cluster.Size:
        """The size of the cluster, joined if necessary."""
        ray_cluster.join(self._address)
        return ray_cluster.size(self._workers, self._gpus)
