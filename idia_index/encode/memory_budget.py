"""Room for decoded images that wait to be encoded: what keeps an audit's memory bounded."""

from __future__ import annotations

from threading import Condition

ROOM = 512 << 20  # bytes; a photo of 12 million pixels takes 48 of these MiB


class Room:
    """Bytes that images may take together, shared by those who decode them and who encodes.

    The image that is due next is let in whatever it takes, so that nobody waits for ever.
    """

    def __init__(self, size: int = ROOM) -> None:
        self.size = size
        self._used = 0
        self._due = 0
        self._closed = False
        self._changed = Condition()

    def take(self, place: int, size: int) -> None:
        """Waits until there is room for the image of a place, or it is due."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._closed or place == self._due or self._used + size <= self.size
            )
            self._used += size

    def give(self, size: int) -> None:
        """Makes room again."""
        with self._changed:
            self._used -= size
            self._changed.notify_all()

    def expect(self, place: int) -> None:
        """Says which image is due next."""
        with self._changed:
            self._due = place
            self._changed.notify_all()

    def close(self) -> None:
        """Lets everybody in, who then finds that nobody waits for them."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
