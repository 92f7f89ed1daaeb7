"""Distributes the scan of the shards to an engine's workers, a run of shards each.

A worker returns the pairs of image and name that can be in the answer, with their bounds and the
similarities of their stored rows. This process then decides from all pairs, as after a scan of
its own.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from idia_index.errors import InputError
from idia_index.plugins import Engine, IndexType, Task
from idia_index.plugins.engine import Tell
from idia_index.registry import load_index_type
from idia_index.search.certify import Proposals, compare
from idia_index.search.rows import IndexedRows
from idia_index.search.scan import Contenders, Pairs, choose, find_pairs, join
from idia_index.store.directory import Store
from idia_index.store.manifest import Manifest
from idia_index.store.manifest_json import manifest_text
from idia_index.store.shards import ShardFiles
from idia_index.store.stored_names import StoredNames
from idia_index.types import Float32, Int64

RUNS = 16  # maximum runs of shards: each returns pairs for every image


@dataclass(frozen=True)
class ShardRun:
    """A run of shards, and the removed rows of each."""

    shards: range
    removed: Sequence[Int64]

    def __str__(self) -> str:
        return f"shards {self.shards.start} to {self.shards.stop - 1}"


@dataclass(frozen=True)
class RunFound:
    """What may be in the answer, from one run; `similarities` float32 [c], to stored rows."""

    pairs: Pairs
    similarities: Float32


@dataclass
class SearchShards(Task[ShardRun, RunFound, RunFound]):
    """Searches runs of an index's shards.

    Attributes:
        store: the index directory.
        index_type: how its rows are stored.
        state: SHA-256 of the manifest's text.
        verify: whether shards are compared with their SHA-256 before use.
        queries, k, templates, certify: as in `Spread`.
    """

    store: Store
    index_type: str
    state: str
    verify: bool
    queries: Float32
    k: int
    templates: range
    certify: bool

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "store": Store(self.store.path.absolute())}

    def setup(self) -> None:
        """Opens the index."""
        manifest, held = self.store.open_manifest()
        if _state(manifest) != self.state:
            raise InputError(
                f"{self.store.path}: a worker sees another index there; put the index where all "
                "machines see it under the same path"
            )
        index_type: IndexType = load_index_type(self.index_type)
        files = ShardFiles(self.store.path, manifest, index_type, held, self.verify)
        names = StoredNames(self.store.path, manifest)
        self._rows = IndexedRows(self.store.path, manifest, names, files)

    def compute(self, given: ShardRun, tell: Tell) -> RunFound:
        """What may be in the answer."""
        tiles = self._rows.stored_tiles(self.certify, given.shards, given.removed)
        found = find_pairs(tiles, self.queries, self.k, self.templates)
        return _with_similarities(found, self._rows, self.queries, self.k, self.templates)


class SpreadSearch:
    """Searches an index on an engine.

    Args:
        engine: the engine.
        store, manifest, rows: the index's.
    """

    def __init__(self, engine: Engine, store: Store, manifest: Manifest, rows: IndexedRows) -> None:
        self._engine, self._store, self._manifest, self._rows = engine, store, manifest, rows

    def proposals(self, queries: Float32, k: int, templates: range, certify: bool) -> Proposals:
        """What can be among the k most similar names of each image, as a local scan finds it."""
        task = SearchShards(
            self._store, self._manifest.plan.kind, _state(self._manifest), self._rows.verify,
            queries, k, templates, certify,
        )  # fmt: skip
        count = len(self._manifest.shards)
        runs = self._engine.runs(count, math.ceil(count / RUNS))
        added = list(self._rows.added_tiles())
        all_found: list[RunFound] = []
        if added:
            pairs = find_pairs(added, queries, k, templates)
            all_found.append(_with_similarities(pairs, self._rows, queries, k, templates))

        def collect(_: ShardRun, found: RunFound) -> None:
            all_found[:] = [_narrowed([*all_found, found], len(queries), k, len(templates))]

        given = (ShardRun(run, self._rows.removed(run)) for run in runs)
        self._engine.run(task, given, collect, lambda _: None)
        (found,) = all_found
        chosen = choose(found.pairs, len(queries), k, len(templates))
        contenders = [Contenders(found.pairs.queries[c], found.pairs.ids[c]) for c in chosen]
        return Proposals(queries, k, contenders, [found.similarities[c] for c in chosen])


def _with_similarities(
    pairs: Pairs, rows: IndexedRows, queries: Float32, k: int, templates: range
) -> RunFound:
    """Pairs that can be in the answer, and the similarities of their stored rows."""
    chosen = choose(pairs, len(queries), k, len(templates))
    some = [Contenders(pairs.queries[c], pairs.ids[c]) for c in chosen]

    def stored(numbers: Int64, ids: Int64) -> Float32:
        return rows.of_pairs(numbers + templates.start, ids)

    found = compare(queries, k, some, stored)
    return RunFound(pairs.chosen(np.concatenate(chosen)), np.concatenate(found.similarities))


def _narrowed(found: Sequence[RunFound], m: int, k: int, templates: int) -> RunFound:
    """The pairs of several runs that can still be in the answer."""
    pairs = join([each.pairs for each in found])
    kept = np.concatenate(choose(pairs, m, k, templates))
    return RunFound(pairs.chosen(kept), np.concatenate([each.similarities for each in found])[kept])


def _state(manifest: Manifest) -> str:
    return hashlib.sha256(manifest_text(manifest).encode()).hexdigest()
