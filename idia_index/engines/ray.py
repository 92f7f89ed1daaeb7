"""The engine that is a Ray cluster: one actor a worker, the model loaded once in each."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable

from idia_index.engines import ray_cluster
from idia_index.engines.ray_run import Idle, Run
from idia_index.errors import InputError
from idia_index.plugins.engine import Engine, Given, Made, Result, Task, Tell


class RayEngine(Engine):
    """Runs tasks on a Ray cluster, or on one that is started on this machine."""

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
        # Workers of the run before: they have imported what the next one needs.
        self._idle: list[Idle] = []

    def close(self) -> None:
        """Ends the workers that wait for another run; they hold processors until then."""
        for worker in self._idle:
            ray_cluster.ray.kill(worker.handle)
        self._idle = []

    def is_filled_by(self, count: int) -> bool:
        """Where there are no more workers than that."""
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
        """See `Engine.run`. An input whose worker dies, or fails at it, is tried elsewhere."""
        run = Run(task, inputs, collect, tell, self._size(), self._idle)
        try:
            run.all()
        finally:
            self._idle = run.release()

    def _size(self) -> ray_cluster.Size:
        """Of the cluster, which is joined where it was not."""
        ray_cluster.join(self._address)
        return ray_cluster.size(self._workers, self._gpus)
