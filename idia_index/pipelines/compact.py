"""Rewrites an index without removed names, in full shards and in the newest format."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np

from idia_index.encode.image_cache import ANSWERS, FILE
from idia_index.encode.label_answers import FILE as LABELS
from idia_index.errors import DamagedIndexError
from idia_index.pipelines.changing import Change, changing
from idia_index.pipelines.shard_writing import Counter, Piece, WriteRows, write_lookup, write_shards
from idia_index.plugins.engine import Tell
from idia_index.registry import load_engine
from idia_index.search.index import Index
from idia_index.store.manifest import FORMAT, Manifest, ShardEntry
from idia_index.types import Float32, quiet


@dataclass(frozen=True)
class CompactResult:
    """What was removed from the disk.

    Attributes:
        path: directory of the index.
        removed: number of names.
        rewritten: number of shards that were rewritten.
        freed_bytes: by how much the index shrank.
        in_use: whether someone reads the previous state, whose files the next `compact` removes.
    """

    path: str
    removed: int
    rewritten: int
    freed_bytes: int
    in_use: bool


def compact(path: str | os.PathLike[str]) -> CompactResult:
    """Deletes removed names from the disk and merges small shards; ids and answers stay.

    Cached image embeddings are deleted.

    Shards that need neither are unchanged. Quantized rows are quantized again when rewritten, and
    their errors add up.

    Raises:
        InputError: there is no index, it is damaged, or the disk cannot be written.
    """
    where = os.fsdecode(Path(path).resolve())
    # Rewritten rows get a new checksum, which would hide damage forever.
    with changing(path, verify=True) as change:
        manifest, store = change.manifest, change.store
        for cache in (FILE, ANSWERS, LABELS):
            (store.path / cache).unlink(missing_ok=True)
        runs = list(_runs(change.index))
        rewritten = sum(len(run) for run, keep in runs if not keep)
        if not rewritten and manifest.format == FORMAT and len(manifest.lookups) == 1:
            change.close()
            return CompactResult(where, 0, 0, 0, not store.tidy())
        change.begin("compact")
        shards, number = _write(change, runs)
        lookup = write_lookup(store, number, 0, change.index.stored_names)
        new = replace(
            manifest, shards=tuple(shards), lookups=(lookup,), removed=None, removed_count=0
        )
        change.finish(new)
        freed = _bytes(manifest) - _bytes(new)
        return CompactResult(where, manifest.removed_count, rewritten, freed, not store.collect())


def _bytes(manifest: Manifest) -> int:
    return sum(file.bytes for file in manifest.files())


def _runs(index: Index) -> Iterator[tuple[list[int], bool]]:
    """Runs of neighbouring shards, and whether they stay unchanged."""
    shards = index.manifest.shards

    def stays(number: int) -> bool:
        shard, small = shards[number], index.manifest.plan.shard_names / 2
        removed = len(index.stored_names.removed_rows(number))
        return not removed and len(shard.parts) == 1 and shard.count >= small

    for keep, numbers in groupby(range(len(shards)), stays):
        run = list(numbers)
        shard = shards[run[0]]
        alone = len(run) == 1 and len(shard.parts) == 1
        yield run, keep or (alone and not len(index.stored_names.removed_rows(run[0])))


def _write(change: Change, runs: list[tuple[list[int], bool]]) -> tuple[list[ShardEntry], int]:
    """The shards of the new state, and the next free number."""
    manifest = change.manifest
    task = _CopyRows(change.store, manifest.plan.kind, change.index)
    number, shards, first = manifest.next_number, list[ShardEntry](), 0
    for run, keep in runs:
        if keep:
            for place in run:
                shards.append(replace(manifest.shards[place], first=first))
                first += shards[-1].count
            continue
        count = sum(len(change.index.stored_names.live(place)) for place in run)
        lost = _errors([manifest.shards[place] for place in run])
        pieces = _pieces(change, range(first, first + count), number)
        for entry in write_shards(task, pieces, Counter(0, quiet), load_engine()):
            number += 1
            (part,) = entry.parts
            both = zip(part.errors, lost, strict=True)
            errors = tuple(float(f"{(a + b) * 1.00001:.6e}") for a, b in both)
            shards.append(replace(entry, parts=(replace(part, errors=errors),)))
        first += count
    return shards, number


@dataclass
class _CopyRows(WriteRows):
    """Rewrites the rows of names, by their ids."""

    index: Index

    def compute(self, given: Piece, tell: Tell) -> Float32:
        index, some = self.index, range(given.first, given.first + len(given.names))
        found = np.stack([index.text_embeddings(t, some) for t in range(len(index.templates))])
        if not np.isfinite(found).all():
            raise DamagedIndexError(
                f"{index.path}: rows of the names {some.start} to {some.stop - 1} are not finite; "
                "find the damage with: idia-index verify"
            )
        return found


def _pieces(change: Change, ids: range, number: int) -> Iterator[Piece]:
    """Full shards of the names of some ids, with files numbered from `number`."""
    size = change.manifest.plan.shard_names
    for place, start in enumerate(range(ids.start, ids.stop, size), number):
        names = change.index.stored_names[start : min(start + size, ids.stop)]
        yield Piece(place, names, (), start)


def _errors(shards: list[ShardEntry]) -> list[float]:
    """The largest stored error of several shards, for each template."""
    found = np.array([[e for part in shard.parts for e in part.errors] for shard in shards])
    largest: list[float] = found.max(axis=0).tolist()
    return largest
