"""Caches a labeler's answers by image, template and list of labels."""

from __future__ import annotations

import json
import os
from pathlib import Path
from threading import Lock

from idia_index.support.files import private, read_regular

FILE = "labels.cache"
MAX_BYTES = 1 << 30


class LabelAnswers:
    """The cached answers of one labeler in an index directory, one per line."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._known = self._read()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._known)

    def get(self, key: str) -> int | None:
        """The index of the chosen label; None if not cached."""
        return self._known.get(key)

    def put(self, key: str, place: int) -> None:
        """Caches an answer immediately, so that none is requested twice."""
        with self._lock:
            self._known[key] = place
            with open(self._path, "ab", opener=private) as file:
                file.write(json.dumps([key, place]).encode("ascii") + b"\n")

    def _read(self) -> dict[str, int]:
        try:
            lines = read_regular(self._path, MAX_BYTES).split(b"\n")
        except OSError:
            return {}
        found: dict[str, int] = {}
        for line in lines:
            try:
                key, place = json.loads(line)
            except (ValueError, TypeError):
                continue  # a partial line of a killed process
            if isinstance(key, str) and type(place) is int and place >= 0:
                found[key] = place
        if lines[-1]:  # the next answer starts a new line
            os.truncate(self._path, sum(map(len, lines[:-1])) + len(lines) - 1)
        return found
