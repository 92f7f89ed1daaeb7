"""Bounds the memory of decoded images, however many threads decode."""

from __future__ import annotations

from threading import Condition

ROOM = 512 << 20  # bytes; a photo of 12 million pixels takes 48 of these MiB


class Room:
    """The bytes that decoded images may take together.

    A thread that holds room never waits for more. An image larger than the total is admitted
    alone.
    """

    def __init__(self, size: int = ROOM) -> None:
        self.size = size
        self._used = 0
        self._changed = Condition()

    def take(self, size: int) -> None:
        """Waits until there is room for an image."""
        with self._changed:
            self._changed.wait_for(lambda: not self._used or self._used + size <= self.size)
            self._used += size

    def give(self, size: int) -> None:
        """Releases room."""
        with self._changed:
            self._used -= size
            self._changed.notify_all()
