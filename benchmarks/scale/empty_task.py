"""A task that does nothing, for what an engine itself costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from idia_index.plugins import Task


@dataclass
class Empty(Task[int, int, int]):
    """Gives back what it is given."""

    def compute(self, given: int, tell: Callable[[int], None]) -> int:
        """Nothing."""
        return given

    def finish(self, given: int, made: int) -> int:
        """Nothing."""
        return made
