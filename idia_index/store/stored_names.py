"""Reads the names of an index shard by shard on demand, without removed ones.

A *stored id* counts every name on disk. A name id counts only names that were not removed, as if
the index had been built from them.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from pathlib import Path
from typing import overload

import numpy as np

from idia_index.errors import DamagedIndexError
from idia_index.prompts.names import name_key
from idia_index.store.manifest import FileEntry, Manifest, ShardEntry
from idia_index.store.name_lookup import Lookup, key_hash
from idia_index.support.files import read_regular
from idia_index.types import Int64

SHARDS_KEPT = 64


class StoredNames(Sequence[str]):
    """The N candidate names on disk, by name id."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        """Raises InputError if the file of removed names was changed."""
        self._folder = folder
        self._shards = manifest.shards
        self._starts = np.array([shard.first for shard in manifest.shards])
        self._lookups = [Lookup(folder, entry) for entry in manifest.lookups]
        self._read: OrderedDict[int, list[str]] = OrderedDict()
        self._stored = manifest.stored
        self._remove(_read_removed(folder, manifest))

    def _remove(self, stored_ids: Int64) -> None:
        self.removed = stored_ids
        self._shifts = stored_ids - np.arange(len(stored_ids))

    def without(self, name_ids: Int64) -> StoredNames:
        """The same with these removed too, but not on disk."""
        left = copy(self)
        left._remove(np.union1d(self.removed, self.stored_ids(name_ids)))
        return left

    def __len__(self) -> int:
        return self._stored - len(self.removed)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return self._at(int(self.stored_ids(np.array(range(len(self))[index]))))

    def __iter__(self) -> Iterator[str]:
        for number in range(len(self._shards)):
            yield from self.live(number)

    def stored_ids(self, name_ids: Int64) -> Int64:
        """Stored ids for name ids, int64 of any shape."""
        return name_ids + np.searchsorted(self._shifts, name_ids, side="right")

    def name_ids(self, stored_ids: Int64) -> Int64:
        """Name ids for stored ids that are not removed, int64 of any shape."""
        return stored_ids - np.searchsorted(self.removed, stored_ids)

    def removed_rows(self, number: int) -> Int64:
        """Rows of a shard whose names were removed, ascending."""
        first = self._shards[number].first
        bounds = np.searchsorted(self.removed, [first, first + self._shards[number].count])
        return self.removed[bounds[0] : bounds[1]] - first

    def live(self, number: int) -> list[str]:
        """The names of one shard that were not removed."""
        gone = set(self.removed_rows(number).tolist())
        return [name for row, name in enumerate(self.shard(number)) if row not in gone]

    def shard(self, number: int) -> list[str]:
        """All names of one shard; raises InputError if their file was changed."""
        # Popped and reinserted atomically: several threads may ask.
        names = self._read.pop(number, None) or read_shard_names(self._folder, self._shards[number])
        self._read[number] = names  # the last to be evicted
        if len(self._read) > SHARDS_KEPT:
            self._read.popitem(last=False)
        return names

    def find(self, keys: Iterable[str]) -> dict[str, int]:
        """Name ids of the names with these `name_key`s; keys without a name are omitted.

        Raises:
            InputError: a file of names was changed.
        """
        wanted = set(keys)
        found = self._looked_up(wanted) if self._lookups else self._read_through(wanted)
        ids = self.name_ids(np.fromiter(found.values(), np.int64, len(found)))
        return dict(zip(found, ids.tolist(), strict=True))

    def _at(self, stored: int) -> str:
        number = int(np.searchsorted(self._starts, stored, side="right")) - 1
        return self.shard(number)[stored - self._shards[number].first]

    def _is_removed(self, stored: int) -> bool:
        place = int(np.searchsorted(self.removed, stored))
        return place < len(self.removed) and int(self.removed[place]) == stored

    def _looked_up(self, wanted: set[str]) -> dict[str, int]:
        keys = list(wanted)
        hashes = np.fromiter(map(key_hash, keys), np.uint64, len(keys))
        order = np.argsort(hashes)
        ranked = hashes[order]
        hits = [hit for lookup in self._lookups for hit in lookup.candidates(ranked)]
        if not hits:
            return {}
        places, stored_ids = (np.concatenate(part) for part in zip(*hits, strict=True))
        live = ~np.isin(stored_ids, self.removed)
        ascending = np.argsort(stored_ids[live])  # so that each file of names is read once
        named, stored_ids = order[places[live][ascending]], stored_ids[live][ascending]
        numbers = np.searchsorted(self._starts, stored_ids, side="right") - 1
        rows = stored_ids - self._starts[numbers]
        found: dict[str, int] = {}
        for place, stored, number, row in zip(
            named.tolist(), stored_ids.tolist(), numbers.tolist(), rows.tolist(), strict=True
        ):
            if name_key(self.shard(number)[row]) == keys[place]:
                found.setdefault(keys[place], stored)
        return found

    def _read_through(self, wanted: set[str]) -> dict[str, int]:
        """Without lookups, as in an index of format 1."""
        found: dict[str, int] = {}
        for number, shard in enumerate(self._shards):
            for stored, name in enumerate(self.shard(number), shard.first):
                if (key := name_key(name)) in wanted and not self._is_removed(stored):
                    found.setdefault(key, stored)
            if len(found) == len(wanted):
                break
        return found


def read_shard_names(folder: Path, shard: ShardEntry) -> list[str]:
    path = folder / shard.names.file
    try:
        text = _checked(path, shard.names).decode("utf-8")
    except UnicodeDecodeError as error:
        raise DamagedIndexError(f"{path}: is not UTF-8 ({error}); rebuild the index") from error
    names = text.removesuffix("\n").split("\n")
    if len(names) != shard.count:
        raise DamagedIndexError(
            f"{path}: holds {len(names)} names, the manifest says {shard.count}; rebuild the index"
        )
    return names


def _read_removed(folder: Path, manifest: Manifest) -> Int64:
    if manifest.removed is None:
        return np.empty(0, np.int64)
    path = folder / manifest.removed.file
    if manifest.removed.bytes != 8 * manifest.removed_count:
        raise DamagedIndexError(
            f"{path}: has {manifest.removed.bytes} bytes, the manifest says "
            f"{manifest.removed_count} ids of 8; rebuild the index"
        )
    removed = np.frombuffer(_checked(path, manifest.removed), "<i8").astype(np.int64)
    ascending = bool((np.diff(removed) > 0).all())
    if not (ascending and removed[0] >= 0 and removed[-1] < manifest.stored):
        raise DamagedIndexError(
            f"{path}: its ids are not ascending from 0 to {manifest.stored - 1}; rebuild the index"
        )
    return removed


def _checked(path: Path, entry: FileEntry) -> bytes:
    try:
        data = read_regular(path, entry.bytes)
    except OSError as error:
        raise DamagedIndexError(
            f"{path}: cannot be read ({error.strerror}); if the index was compacted meanwhile, "
            "open it again"
        ) from error
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        raise DamagedIndexError(f"{path}: was changed after the build; rebuild the index")
    return data
