"""What an engine implements: it runs independent tasks, here or elsewhere, with results in order.

A pipeline defines the task and never says where it runs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import ClassVar, Generic, TypeVar, cast

Given = TypeVar("Given")
Made = TypeVar("Made")
Result = TypeVar("Result")

Tell = Callable[[int], None]


class Task(ABC, Generic[Given, Made, Result]):
    """What is done with each of many independent inputs.

    A task is pickled for its workers, so its fields must be plain data; anything large or bound to
    a machine, such as a model, is made by `setup` on the worker, in the folder in which the command
    was started, if that exists there. An input is plain data too, and its `str` says what it
    holds: names, photos, a file.

    Attributes:
        queued: whether a worker receives its next input before it has finished one; false if there
            are few, long inputs, so that no worker is left without any.
    """

    queued: ClassVar[bool] = True

    def setup(self) -> None:
        """Called once in each worker, before its first input.

        Raises:
            IdiaIndexError: the worker cannot do the task, or would do it differently.
        """

    @abstractmethod
    def compute(self, given: Given, tell: Tell) -> Made:
        """The first half of the work, which a worker does for one input at a time.

        It calls `tell` with the amount done since the previous call.
        """

    def finish(self, given: Given, made: Made) -> Result:
        """The rest, such as writing: it may run in a thread while the next input is computed.

        By default nothing is left to do, and the result is what was made. The same input may be
        finished twice, if a worker was wrongly presumed lost: output has a unique name until the
        result is collected.
        """
        return cast("Result", made)


class Engine(ABC):
    """Runs tasks; a plugin subclasses it.

    The constructor takes the keyword arguments `address`, `workers` and `gpus_per_worker`, each
    None if not given, and raises an `IdiaIndexError` for what it does not support.

    Attributes:
        name: the plugin's name, as in `--engine`.
        apart: whether its workers are other processes, over which a search is then spread.
    """

    name: ClassVar[str]
    apart: ClassVar[bool] = True

    @abstractmethod
    def run(
        self,
        task: Task[Given, Made, Result],
        inputs: Iterable[Given],
        collect: Callable[[Given, Result], None],
        tell: Tell,
    ) -> None:
        """Does a task for all inputs.

        Args:
            task: the task.
            inputs: read as needed, so that only a few of them are in memory at a time.
            collect: called in this process with each input and its result, one at a time and in
                the order of the inputs. It may be called in another thread.
            tell: called with the amount done, as by `Task.compute`.

        Raises:
            LostWorkError: inputs failed repeatedly; raised when all others have been collected.
            IdiaIndexError: whatever the task, `inputs` or `collect` raised; nothing further is
                started.
        """

    def is_filled_by(self, count: int) -> bool:
        """Whether `count` tasks, each done by a single worker, keep all its workers busy."""
        return self.apart

    def runs(self, count: int, most: int, step: int = 1) -> list[range]:
        """Cuts `count` small items into runs of at most `most`, each of which is one input.

        All runs but the last have a multiple of `step` items, as does `most`. An engine may make
        them shorter, so that all its workers get some; one that works in this process takes all
        items as one run.
        """
        return [range(start, min(start + most, count)) for start in range(0, count, most)]
