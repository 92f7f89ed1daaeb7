"""Opens the shard files of an index on demand, reads ahead, and releases them."""

from __future__ import annotations

import math
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from idia_index.errors import DamagedIndexError, IdiaIndexError
from idia_index.plugins import IndexType, ScoredShard, Shard
from idia_index.store.manifest import Manifest, PartEntry
from idia_index.support.files import sha256_file
from idia_index.support.locks import Held
from idia_index.types import Float32

STREAMED_BYTES = 512 << 20  # kept open if an index is too large to stay mapped


class ShardFiles:
    """The parts of an index's shards, numbered by shard and by part.

    Attributes:
        verify: whether each file is compared with its SHA-256 before use.
    """

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        index_type: IndexType,
        held: Held | None = None,
        verify: bool = False,
    ) -> None:
        """`held` keeps the files on disk."""
        self._folder = folder
        self._manifest = manifest
        self._index_type = index_type
        self._held = held
        self.verify = verify
        self._checked: set[str] = set()
        self._open: OrderedDict[tuple[int, int], Shard] = OrderedDict()
        self._open_bytes = 0
        self._lock = threading.Lock()
        self._order = [
            (number, part)
            for number, shard in enumerate(manifest.shards)
            for part in range(len(shard.parts))
        ]
        total = sum(map(self._read_bytes, self._order))
        # Mapped files count as this process's memory, although the system can reclaim it.
        self._keep = total if total <= _memory() // 4 else STREAMED_BYTES

    def order(self, shards: range | None = None) -> Iterator[tuple[int, int]]:
        """Shard and part numbers, reading ahead the next one; only of `shards`, if given."""
        order = [each for each in self._order if shards is None or each[0] in shards]
        for place, following in zip(order, [*order[1:], None], strict=True):
            if following is not None and following not in self._open:
                self._advise(following)
            yield place

    def open(self, number: int, part: int) -> Shard:
        """A part, mapped.

        Raises:
            InputError: its file is missing, damaged, or changed.
        """
        place = (number, part)
        with self._lock:
            if place in self._open:
                self._open.move_to_end(place)
                return self._open[place]
            entry = self._entry(number, part)
            path = self._folder / entry.file.file
            if not path.is_file():
                raise DamagedIndexError(
                    f"{path}: missing from the index; if it was compacted meanwhile, open it "
                    "again, else fix it with: idia-index repair"
                )
            if self.verify:
                self._check(path, entry)
            dim = self._manifest.plan.fingerprint.dim
            count = self._manifest.shards[number].count
            self._open[place] = self._index_type.open_shard(path, (entry.templates, count, dim))
            self._open_bytes += self._read_bytes(place)
            while self._open_bytes > self._keep and len(self._open) > 1:
                gone, _ = self._open.popitem(last=False)
                self._open_bytes -= self._read_bytes(gone)
            return self._open[place]

    def close(self) -> None:
        """Releases all files."""
        self._open.clear()
        self._open_bytes = 0
        if self._held is not None:
            self._held.close()

    def _entry(self, number: int, part: int) -> PartEntry:
        return self._manifest.shards[number].parts[part]

    def _read_bytes(self, place: tuple[int, int]) -> int:
        """The bytes of a part's file that a search reads."""
        return int(self._entry(*place).file.bytes * self._index_type.read_share)

    def _check(self, path: Path, entry: PartEntry) -> None:
        if entry.file.file in self._checked:
            return
        if sha256_file(path) != entry.file.sha256:
            raise DamagedIndexError(
                f"{path}: was changed after the build; fix it with: idia-index repair"
            )
        self._checked.add(entry.file.file)

    def _advise(self, place: tuple[int, int]) -> None:
        """Asks the system to read ahead what a search reads; free if already in memory."""
        if not hasattr(os, "posix_fadvise"):
            return
        try:
            handle = os.open(self._folder / self._entry(*place).file.file, os.O_RDONLY)
        except OSError:
            return  # opening it reports the error
        try:
            os.posix_fadvise(handle, 0, self._read_bytes(place), os.POSIX_FADV_WILLNEED)
        finally:
            os.close(handle)


def _memory() -> int:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError, AttributeError):
        return 8 << 30


def stored_errors(index_type: IndexType, path: Path, rows: Float32) -> tuple[float, ...]:
    """For each template of float32 [T, n, D], the largest difference between given and stored row.

    Rounded up to four digits, so that it stays a bound.

    Raises:
        IdiaIndexError: an exact index type returns other rows than given, or an inexact one has
            no score bounds, so that its answers could not be proved.
    """
    shard = index_type.open_shard(path, rows.shape)
    errors = []
    for template, wanted in enumerate(rows):
        stored = shard.text_embeddings(template, np.arange(len(wanted)))
        lost = (stored.astype(np.float64) - wanted) ** 2
        longest = math.sqrt(float(lost.sum(axis=1).max()))
        errors.append(float(f"{longest * 1.001:.3e}"))
    if index_type.exact and any(errors):
        raise IdiaIndexError(f"{path}: index type {index_type.name!r} does not return its rows")
    if not index_type.exact and not isinstance(shard, ScoredShard):
        raise IdiaIndexError(
            f"{path}: index type {index_type.name!r} is not exact and has no score bounds; "
            "build with --index flat"
        )
    return tuple(errors)
