"""Runs in a worker of a Ray cluster: sets a task up once and processes inputs one by one."""

from __future__ import annotations

import copy
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from idia_index._version import __version__
from idia_index.errors import IdiaIndexError
from idia_index.support.offline import send_nothing
from idia_index.support.threads import take_threads


@dataclass(frozen=True)
class Done:
    """The outcome of one call of a worker.

    Attributes:
        result: the task's result.
        told: the progress that it reported.
        refused: why the task cannot run here, or at all; not worth a retry.
    """

    result: Any = None
    told: int = 0
    refused: IdiaIndexError | None = None


class Worker:
    """An actor with up to two inputs at a time: one is computed while the other is finished."""

    def __init__(self, threads: int) -> None:
        send_nothing()
        take_threads(threads)
        self._computing = threading.Lock()
        self._task: Any = None

    def version(self) -> str:
        """This package's version, checked before sending the task, which others may misread."""
        return __version__

    def start(self, task: Any, folder: Path) -> Done:
        """Sets a task up in the folder for relative paths; drops the previous task."""
        self._task = None
        if folder.is_dir():
            os.chdir(folder)
        try:
            task.setup()
        except IdiaIndexError as error:
            return Done(refused=_whole(error))
        self._task = task
        return Done()

    def work(self, given: Any) -> Done:
        """Runs the task for one input."""
        told = 0

        def tell(count: int) -> None:
            nonlocal told
            told += count

        try:
            with self._computing:
                made = self._task.compute(given, tell)
            return Done(self._task.finish(given, made), told)
        except IdiaIndexError as error:
            return Done(refused=_whole(error))


def _whole(error: IdiaIndexError) -> IdiaIndexError:
    """The error, or one with its text if it cannot be pickled."""
    try:
        return copy.copy(error)
    except TypeError:
        kept = IdiaIndexError(str(error))
        kept.exit_code = error.exit_code
        return kept
