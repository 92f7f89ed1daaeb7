"""Image embeddings that were computed before, found by what the image file holds.

They are data about people, so they are kept where the index is and nowhere else, for its owner
only, and `compact` forgets them. A record is the SHA-256 of the image file together with the
model's fingerprint, the embedding, and a checksum of both; a record that was damaged is as good
as none. Set `IDIA_INDEX_IMAGE_CACHE=off` to keep none.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idia_index.support.files import private, read_regular
from idia_index.support.locks import lock
from idia_index.types import Fingerprint, Float32

FILE = "images.cache"
ANSWERS = "answers.cache"  # what a service was paid for: texts too, until `compact`
SWITCH = "IDIA_INDEX_IMAGE_CACHE"
LOADING = (
    2  # raised when the pixels that a file gives change: transparency is laid on white since 2
)
MAX_BYTES = 256 << 20  # 86,000 images at 768 dimensions; what comes after is not remembered


def remembers_images() -> bool:
    """Whether embeddings of images may be kept; the environment can forbid it."""
    return os.environ.get(SWITCH, "").lower() in ("", "on", "1", "yes", "true")


class ImageCache:
    """The embeddings of one model that an index directory remembers."""

    def __init__(
        self, folder: Path | None, fingerprint: Fingerprint, how: str, file: str = FILE
    ) -> None:
        """`how` says what else changes an embedding's last bits, such as backend and device.

        Without a folder nothing is remembered.
        """
        self._path = (folder or Path()) / file
        self._on = folder is not None and (file != FILE or remembers_images())
        model = json.dumps([asdict(fingerprint), how, LOADING], sort_keys=True)
        self._model = hashlib.sha256(model.encode()).digest()
        self._dim = fingerprint.dim
        self._record = np.dtype([("key", "V32"), ("row", "<f4", fingerprint.dim), ("sum", "V16")])
        self._rows = self._read() if self._on else {}
        self._writes = True

    def __getstate__(self) -> dict[str, Any]:
        """Elsewhere it knows what is remembered by then, and leaves writing to this process."""
        kept = {name: value for name, value in self.__dict__.items() if name != "_rows"}
        return {**kept, "_path": self._path.absolute(), "_writes": False}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._rows = self._read() if self._on else {}

    def key(self, sha256: str) -> bytes | None:
        """What finds an image file's embedding; None where nothing is remembered."""
        return hashlib.sha256(self._model + sha256.encode()).digest() if self._on else None

    def get(self, key: bytes | None) -> Float32 | None:
        """The embedding float32 [D] of a key, None if it is not known."""
        return None if key is None else self._rows.get(key)

    def put(self, keys: Sequence[bytes | None], rows: Float32) -> None:
        """Remembers float32 [n, D]; what cannot be written is not remembered."""
        pairs = [(key, row) for key, row in zip(keys, rows, strict=True) if key is not None]
        if not self._on or not pairs:
            return
        self._rows.update(pairs)
        if not self._writes:
            return
        records = np.zeros(len(pairs), self._record)
        for place, (key, row) in enumerate(pairs):
            records[place] = (np.void(key), row, np.void(_sum(key, row)))
        try:
            with open(self._path, "ab", opener=private) as file:
                lock(file.fileno(), wait=True)
                # Half a record is of no use to anybody, and would make those after it none.
                size = os.fstat(file.fileno()).st_size
                if rest := size % self._record.itemsize:
                    size -= rest
                    file.truncate(size)
                room = max(0, MAX_BYTES - size) // self._record.itemsize
                file.write(records[:room].tobytes())
        except OSError:
            return

    def size(self) -> int:
        """Bytes of all that is remembered now, to `forget` what comes after."""
        return self._path.stat().st_size if self._on and self._path.is_file() else 0

    def forget(self, size: int) -> None:
        """Forgets what was remembered since `size` told so many bytes."""
        if self._on and self.size() > size:
            os.truncate(self._path, size)
            self._rows = self._read()

    def _read(self) -> dict[bytes, Float32]:
        try:
            data = read_regular(self._path, MAX_BYTES)
        except OSError:
            return {}
        size = self._record.itemsize
        records: NDArray[np.void] = np.frombuffer(data[: len(data) // size * size], self._record)
        found = {}
        for record in records:
            key, row = record["key"].tobytes(), np.array(record["row"])
            if record["sum"].tobytes() == _sum(key, row) and _is_unit(row):
                found[key] = row
        return found


def damaged(folder: Path, dim: int) -> str | None:
    """What is wrong with a directory's remembered embeddings, None if nothing is."""
    path = folder / FILE
    record = np.dtype([("key", "V32"), ("row", "<f4", dim), ("sum", "V16")])
    try:
        data = read_regular(path, MAX_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"cannot be read ({error.strerror}); it is not used, delete it"
    if len(data) % record.itemsize:
        return "does not end with a whole record; delete it"
    for number, item in enumerate(np.frombuffer(data, record)):
        row = np.array(item["row"])
        if item["sum"].tobytes() != _sum(item["key"].tobytes(), row) or not _is_unit(row):
            return f"record {number} was changed; it is not used, delete the file"
    return None


def _is_unit(row: Float32) -> bool:
    """Whether a row can be an embedding; a checksum is no proof, whoever wrote it."""
    return abs(float(np.linalg.norm(row.astype(np.float64))) - 1) < 1e-3


def _sum(key: bytes, row: Float32) -> bytes:
    return hashlib.blake2b(key + row.tobytes(), digest_size=16).digest()
