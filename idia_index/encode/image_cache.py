"""Caches image embeddings by the content of the image file.

They are data about people, so they are stored only with the index, readable only by its owner,
and `compact` deletes them. A record is the SHA-256 of the image file together with the model's
fingerprint, the embedding, and a checksum of both; damaged records are ignored. Set
`IDIA_INDEX_IMAGE_CACHE=off` to store none.
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
ANSWERS = "answers.cache"  # paid answers of a service, also for texts, until `compact`
SWITCH = "IDIA_INDEX_IMAGE_CACHE"
LOADING = 2  # incremented when decoded pixels change: since 2 transparency is blended on white
MAX_BYTES = 256 << 20  # 86,000 images at 768 dimensions; further ones are not cached


def remembers_images() -> bool:
    """Whether image embeddings may be cached; the environment can forbid it."""
    return os.environ.get(SWITCH, "").lower() in ("", "on", "1", "yes", "true")


class ImageCache:
    """The cached embeddings of one model in an index directory."""

    def __init__(
        self, folder: Path | None, fingerprint: Fingerprint, how: str, file: str = FILE
    ) -> None:
        """`how` is whatever else changes an embedding's last bits, such as backend and device.

        Without a folder nothing is cached.
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
        """Another process reads the cache as of then, and does not write to it."""
        kept = {name: value for name, value in self.__dict__.items() if name != "_rows"}
        return {**kept, "_path": self._path.absolute(), "_writes": False}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._rows = self._read() if self._on else {}

    def key(self, sha256: str) -> bytes | None:
        """The key of an image file's embedding; None if nothing is cached."""
        return hashlib.sha256(self._model + sha256.encode()).digest() if self._on else None

    def get(self, key: bytes | None) -> Float32 | None:
        """The embedding float32 [D] of a key, None if not cached."""
        return None if key is None else self._rows.get(key)

    def put(self, keys: Sequence[bytes | None], rows: Float32) -> None:
        """Caches float32 [n, D], unless writing fails."""
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
                # A partial record is useless and would misalign the following ones.
                size = os.fstat(file.fileno()).st_size
                if rest := size % self._record.itemsize:
                    size -= rest
                    file.truncate(size)
                room = max(0, MAX_BYTES - size) // self._record.itemsize
                file.write(records[:room].tobytes())
        except OSError:
            return

    def size(self) -> int:
        """Current size in bytes, to `forget` what is cached later."""
        return self._path.stat().st_size if self._on and self._path.is_file() else 0

    def forget(self, size: int) -> None:
        """Deletes everything cached since `size` returned this number of bytes."""
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
    """What is wrong with a directory's cached embeddings, None if nothing."""
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
    """Whether a row can be an embedding; a checksum does not prove it."""
    return abs(float(np.linalg.norm(row.astype(np.float64))) - 1) < 1e-3


def _sum(key: bytes, row: Float32) -> bytes:
    return hashlib.blake2b(key + row.tobytes(), digest_size=16).digest()
