"""An engine whose workers are copies of the task that went through pickle, done in another order.

What cannot travel to another process, or relies on the order or on this process, fails with it.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable
from typing import Any

from idia_index.plugins.engine import Engine, Given, Made, Result, Task, Tell


class PickledEngine(Engine):
    """Two workers; the inputs are done from the last to the first, and collected in order."""

    name = "pickled"

    def __init__(self) -> None:
        self.inputs = 0

    def run(
        self,
        task: Task[Given, Made, Result],
        inputs: Iterable[Given],
        collect: Callable[[Given, Result], None],
        tell: Tell,
    ) -> None:
        workers: list[Task[Given, Made, Result]] = [again(task), again(task)]
        for worker in workers:
            worker.setup()
        given = list(inputs)
        results = {}
        for place in reversed(range(len(given))):
            worker, sent = workers[place % 2], again(given[place])
            results[place] = again(worker.finish(sent, worker.compute(sent, tell)))
            assert str(sent)
        for place, each in enumerate(given):
            collect(each, results[place])
        self.inputs += len(given)


def again(value: Any) -> Any:
    """What arrives of a value in another process."""
    return pickle.loads(pickle.dumps(value))  # noqa: S301 (our own)
