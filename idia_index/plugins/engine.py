"""What an engine implements: independent tasks, here or on other machines, their results in order.

A pipeline says what one task is and never where it runs.
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
    """What is done with each of many inputs, none of which depends on another.

    A task travels to workers pickled, so that its fields are plain; what is large or bound to a
    machine, such as a model, `setup` makes there, in the folder in which the command was started
    where that is there. An input is plain too, and `str` of it names what it holds for people:
    names, photos, a file.

    Attributes:
        queued: whether a worker is given its next input before it is done with one; not where few
            inputs take long, and another worker would be left with none.
    """

    queued: ClassVar[bool] = True

    def setup(self) -> None:
        """Called once in each worker, before its first input.

        Raises:
            IdiaIndexError: the worker cannot do the task, or would do it otherwise than asked.
        """

    @abstractmethod
    def compute(self, given: Given, tell: Tell) -> Made:
        """The first half of the work, which a worker does for one input at a time.

        It calls `tell` with how much is done since it last did.
        """

    def finish(self, given: Given, made: Made) -> Result:
        """The rest, such as writing: it may run in a thread while the next input is computed.

        By default nothing is left to do, and the result is what was made. The same input may be
        finished twice, where a worker was thought lost and was not: what is written has a name of
        its own until the result is collected.
        """
        return cast("Result", made)


class Engine(ABC):
    """Runs tasks; a plugin subclasses it.

    The constructor takes `address`, `workers` and `gpus_per_worker`, keywords all and None where
    they were not given, and raises an `IdiaIndexError` for what it cannot do.

    Attributes:
        name: the plugin's name, as `--engine` takes it.
        apart: whether its workers are other processes, so that a search is spread over them.
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
            task: what is done.
            inputs: read as they are needed, so that a few of them are in memory at a time.
            collect: called in this process with each input and its result, one at a time and in
                the order of the inputs. It may be called in another thread.
            tell: told how much is done, as `Task.compute` tells it.

        Raises:
            LostWorkError: inputs that failed again and again, when all others are collected.
            IdiaIndexError: what the task, `inputs` or `collect` raised; what is not begun then
                never is.
        """

    def is_filled_by(self, count: int) -> bool:
        """Whether `count` tasks, each done by one worker alone, keep all its workers busy."""
        return self.apart

    def runs(self, count: int, most: int, step: int = 1) -> list[range]:
        """Cuts `count` small things into the runs that are an input each, of `most` at the most.

        Runs but the last have a multiple of `step`, of which `most` is one. An engine may make
        them shorter, so that all its workers have some; one whose workers share this process takes
        all things as one.
        """
        return [range(start, min(start + most, count)) for start in range(0, count, most)]
