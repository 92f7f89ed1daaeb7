"""The rows of an index: those of its shards, opened when their turn comes, and of added names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from idia_index.plugins import Float64, ScoredShard, Scores, Shard
from idia_index.search.certify import compare, merged, settle
from idia_index.search.scan import Tile, find_contenders
from idia_index.store.manifest_json import Manifest
from idia_index.store.shards import ShardFiles
from idia_index.store.stored_names import StoredNames
from idia_index.types import Float32, Int64


class _OneTemplate(ScoredShard):
    """One template of a shard."""

    def __init__(self, shard: ScoredShard, template: int) -> None:
        self._shard = shard
        self._template = template

    @property
    def shape(self) -> tuple[int, int, int]:
        _, n, dim = self._shard.shape
        return 1, n, dim

    def scores(self, templates: slice, rows: slice, queries: Float32) -> Scores:
        return self._shard.scores(slice(self._template, self._template + 1), rows, queries)

    def text_embeddings(self, template: int, rows: Int64) -> Float32:
        return self._shard.text_embeddings(self._template, rows)


def _of_one(tile: Tile, template: int) -> Tile:
    assert isinstance(tile.shard, ScoredShard)
    shard, errors = _OneTemplate(tile.shard, template), tile.errors[[template]]
    return replace(tile, shard=shard, first_template=0, errors=errors)


class IndexedRows:
    """Text embeddings of T templates, by stored ids; names that were added have the last ids."""

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        names: StoredNames,
        files: ShardFiles,
        added: tuple[tuple[int, int, Shard], ...] = (),
    ) -> None:
        """`added` are runs of names in memory: their first stored id, their number, their rows."""
        self._folder = folder
        self._manifest = manifest
        self._names = names
        self._files = files
        self._added = added
        self._templates = len(manifest.plan.templates)
        self._dim = manifest.plan.fingerprint.dim

    def among(self, names: StoredNames) -> IndexedRows:
        """These, of stored names of which others were removed."""
        return IndexedRows(self._folder, self._manifest, names, self._files, self._added)

    def and_of(self, count: int, shard: Shard) -> IndexedRows:
        """These and the rows of `count` more names."""
        first = self._manifest.stored + sum(count for _, count, _ in self._added)
        added = (*self._added, (first, count, shard))
        return IndexedRows(self._folder, self._manifest, self._names, self._files, added)

    @property
    def scored(self) -> bool:
        """Whether the kind's shards can be searched in one pass with bounds."""
        return isinstance(self._files.open(0, 0), ScoredShard)

    def tiles(self, certify: bool) -> Iterator[Tile]:
        """The parts of all shards, opened one by one; `certify` counts what storing lost."""
        for number, part in self._files.order():
            entry = self._manifest.shards[number]
            errors = np.array(entry.parts[part].errors)
            yield Tile(
                shard=self._files.open(number, part),
                count=entry.count,
                first=entry.first,
                first_template=entry.parts[part].first_template,
                errors=errors if certify else 0 * errors,
                removed=self._names.removed_rows(number),
                file=str(self._folder / entry.parts[part].file.file),
            )
        for first, count, shard in self._added:
            yield Tile(shard, count, first, 0, np.zeros(self._templates))

    def nearest(self, template: int, queries: Float32, k: int) -> tuple[Float32, Int64]:
        """The k best rows of one template alone: similarities and stored ids, [M, k] both."""
        if not self.scored:
            similarities, ids = merged(self.tiles(False), queries, k, self._templates)
            return similarities[template], ids[template]
        tiles = (
            _of_one(tile, template - tile.first_template)
            for tile in self.tiles(True)
            if 0 <= template - tile.first_template < len(tile.errors)
        )
        pairs = find_contenders(tiles, queries, k, 1)
        found = settle(compare(queries, k, pairs, lambda _, ids: self.of_template(template, ids)))
        return found.similarities[0], found.name_ids[0]

    def errors(self) -> Float64:
        """The most that a stored row of each template is off, float64 [T]."""
        errors = np.zeros(self._templates)
        for shard in self._manifest.shards:
            for part in shard.parts:
                mine = slice(part.first_template, part.first_template + part.templates)
                errors[mine] = np.maximum(errors[mine], part.errors)
        return errors

    def of_template(self, template: int, stored_ids: Int64) -> Float32:
        """Rows float32 [n, D] of one template for stored ids int64 [n], in any order."""
        order = np.argsort(stored_ids, kind="stable")
        out = np.empty((len(stored_ids), self._dim), np.float32)
        out[order] = self.of_pairs(np.full(len(order), template), stored_ids[order])
        return out

    def of_pairs(self, templates: Int64, stored_ids: Int64) -> Float32:
        """Rows float32 [n, D] of templates and stored ids, int64 [n] both, these rising."""
        firsts = [shard.first for shard in self._manifest.shards]
        stored = len(firsts)
        firsts += [first for first, _, _ in self._added]
        bounds = np.searchsorted(stored_ids, [*firsts, np.iinfo(np.int64).max])
        out = np.empty((len(stored_ids), self._dim), np.float32)
        for number in np.flatnonzero(np.diff(bounds)).tolist():
            mine = slice(bounds[number], bounds[number + 1])
            rows = stored_ids[mine] - firsts[number]
            if number >= stored:
                out[mine] = self._added[number - stored][2].rows(templates[mine], rows)
            else:
                out[mine] = self._of_shard(number, templates[mine], rows)
        return out

    def _of_shard(self, number: int, templates: Int64, rows: Int64) -> Float32:
        parts = self._manifest.shards[number].parts
        if len(parts) == 1:
            return self._files.open(number, 0).rows(templates, rows)
        out = np.empty((len(rows), self._dim), np.float32)
        for part, entry in enumerate(parts):
            local = templates - entry.first_template
            mine = (local >= 0) & (local < entry.templates)
            if mine.any():
                out[mine] = self._files.open(number, part).rows(local[mine], rows[mine])
        return out

    def check(self) -> None:
        """Compares all shards with their SHA-256; raises InputError for one that differs."""
        self._files.check()

    def close(self) -> None:
        """Lets go of all files."""
        self._files.close()
