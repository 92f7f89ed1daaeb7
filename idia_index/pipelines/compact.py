"""Rewriting an index without what was removed, in whole shards and in the newest format."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from idia_index.encode.image_cache import FILE
from idia_index.errors import DamagedIndexError
from idia_index.pipelines.build import DEVICE, library_versions, write_lookup
from idia_index.pipelines.change import changing
from idia_index.registry import load_index_type
from idia_index.search.index import Index
from idia_index.store.directory import Store
from idia_index.store.manifest_json import FORMAT, Manifest, ShardEntry


@dataclass(frozen=True)
class Compacted:
    """What compacting did.

    Attributes:
        removed: names that were taken off the disk.
        rewritten: shards that were written anew, of those there were before.
        freed: bytes that the index is smaller.
        in_use: whether files had to stay because somebody reads the state before; the next
            change, or another `compact`, removes them.
    """

    removed: int
    rewritten: int
    freed: int
    in_use: bool


def compact(path: str | os.PathLike[str]) -> Compacted:
    """Takes removed names off the disk and joins small shards; ids and answers stay.

    The image embeddings that were remembered are forgotten.

    Shards that need neither are left as they are. Quantized rows are quantized once more
    where they are written anew, and their errors add up.

    Raises:
        InputError: there is no index, it is damaged, or the disk cannot be written.
    """
    # Rows that are written anew get a new checksum: damage would never be found again.
    with changing(path, verify=True) as (store, index):
        manifest = index.manifest
        (store.path / FILE).unlink(missing_ok=True)
        store.begin({"operation": "compact"})
        runs = list(_runs(index))
        rewritten = sum(len(run) for run, keep in runs if not keep)
        if not rewritten and manifest.format == FORMAT and len(manifest.lookups) == 1:
            index.close()
            store.end()
            return Compacted(0, 0, 0, not store.tidy())
        shards, number = _write(store, index, runs)
        lookup = write_lookup(store, number, 0, index.stored_names)
        new = replace(
            manifest,
            shards=tuple(shards),
            lookups=(lookup,),
            removed=None,
            removed_count=0,
            versions=library_versions(manifest.versions.get(DEVICE)),
            format=FORMAT,
        )
        before = _bytes(manifest)
        index.close()
        store.finish(new)
        return Compacted(
            manifest.removed_count, rewritten, before - _bytes(new), not store.collect()
        )


def _bytes(manifest: Manifest) -> int:
    return sum(file.bytes for file in manifest.files())


def _runs(index: Index) -> Iterator[tuple[list[int], bool]]:
    """Neighbouring shards, and whether they stay as they are."""
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


def _write(
    store: Store, index: Index, runs: list[tuple[list[int], bool]]
) -> tuple[list[ShardEntry], int]:
    """The shards of the new state, and the next number that is free."""
    manifest, index_type = index.manifest, load_index_type(index.manifest.plan.kind)
    number, shards, first = manifest.next_number, list[ShardEntry](), 0
    for run, keep in runs:
        if keep:
            for place in run:
                shards.append(replace(manifest.shards[place], first=first))
                first += shards[-1].count
            continue
        count = sum(len(index.stored_names.live(place)) for place in run)
        lost = _errors([manifest.shards[place] for place in run])
        for start in range(first, first + count, manifest.plan.shard_names):
            ids = range(start, min(start + manifest.plan.shard_names, first + count))
            names = index.stored_names[ids.start : ids.stop]
            rows = np.stack([index.text_embeddings(t, ids) for t in range(len(index.templates))])
            if not np.isfinite(rows).all():
                raise DamagedIndexError(
                    f"{index.path}: rows of shards {run} are no numbers; find the damage with: "
                    "idia-index verify"
                )
            entry = store.write_shard(number, start, names, rows, index_type)
            (part,) = entry.parts
            both = zip(part.errors, lost, strict=True)
            errors = tuple(float(f"{(a + b) * 1.00001:.6e}") for a, b in both)
            shards.append(replace(entry, parts=(replace(part, errors=errors),)))
            number += 1
        first += count
    return shards, number


def _errors(shards: list[ShardEntry]) -> list[float]:
    """Of each template, the largest stored error of several shards."""
    found = np.array([[e for part in shard.parts for e in part.errors] for shard in shards])
    largest: list[float] = found.max(axis=0).tolist()
    return largest
