"""Tasks that fail in the ways that workers do, in a module that workers can import."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from idia_index.errors import InputError
from idia_index.plugins import Task


@dataclass
class Fragile(Task[int, int, tuple[int, int]]):
    """Squares a number; says which process did it.

    Attributes:
        folder: where a worker notes that it killed itself.
        once: numbers at which a worker dies, the first time.
        always: numbers at which every worker dies.
        wrong: numbers at which a worker raises what nobody foresaw.
        bad: numbers that are wrong input.
        pause: seconds that a number takes.
    """

    folder: Path
    once: tuple[int, ...] = ()
    always: tuple[int, ...] = ()
    wrong: tuple[int, ...] = ()
    bad: tuple[int, ...] = ()
    pause: float = 0.0

    def compute(self, given: int, tell: Callable[[int], None]) -> int:
        """Squares it, or fails."""
        time.sleep(self.pause)
        died = self.folder / str(given)
        if given in self.always or (given in self.once and not died.exists()):
            died.write_text("")
            os.kill(os.getpid(), signal.SIGKILL)
        if given in self.wrong:
            raise RuntimeError(f"no memory for {given}")
        if given in self.bad:
            raise InputError(f"{given}: is no number that is squared")
        tell(1)
        return given * given

    def finish(self, given: int, made: int) -> tuple[int, int]:
        """Nothing is left to do."""
        return made, os.getpid()
