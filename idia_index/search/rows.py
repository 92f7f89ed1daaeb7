"""Gives access to the rows of an index: those of its shards, opened on demand, and added names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from idia_index.plugins import Float64, ScoredShard, Scores, Shard
from idia_index.search.scan import Tile
from idia_index.store.manifest import Manifest
from idia_index.store.shards import ShardFiles
from idia_index.store.stored_names import StoredNames
from idia_index.types import Float32, Int64


class MemoryShard(ScoredShard):
    """Float32 rows [T, n, D] in memory only: names added to a view."""

    def __init__(self, text_embeddings: Float32) -> None:
        self._rows = np.ascontiguousarray(text_embeddings, np.float32)

    @property
    def shape(self) -> tuple[int, int, int]:
        t, n, dim = self._rows.shape
        return t, n, dim

    def scores(self, templates: slice, rows: slice, queries: Float32) -> Scores:
        exact = self._rows[templates, rows].astype(np.float64) @ queries.T.astype(np.float64)
        return Scores.of_array(exact.transpose(2, 0, 1).astype(np.float32), 2.0**-24)

    def text_embeddings(self, template: int, rows: Int64) -> Float32:
        return np.array(self._rows[template][rows], np.float32)


class IndexedRows:
    """Text embeddings of T templates by stored ids; added names have the last ids."""

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        names: StoredNames,
        files: ShardFiles,
        added: tuple[tuple[int, int, Shard], ...] = (),
    ) -> None:
        """`added` are runs of names in memory: first stored id, number, rows."""
        self._folder = folder
        self._manifest = manifest
        self._names = names
        self._files = files
        self._added = added
        self._templates = len(manifest.plan.templates)
        self._dim = manifest.plan.fingerprint.dim

    def among(self, names: StoredNames) -> IndexedRows:
        """The same rows with other stored names removed."""
        return IndexedRows(self._folder, self._manifest, names, self._files, self._added)

    def and_of(self, text_embeddings: Float32) -> IndexedRows:
        """The same rows and those of more names, float32 [T, n, D]."""
        first = self._manifest.stored + sum(count for _, count, _ in self._added)
        added = (*self._added, (first, text_embeddings.shape[1], MemoryShard(text_embeddings)))
        return IndexedRows(self._folder, self._manifest, self._names, self._files, added)

    @property
    def scored(self) -> bool:
        """Whether the shards return bounded scores, so that one pass can search them."""
        return isinstance(self._files.open(0, 0), ScoredShard)

    @property
    def verify(self) -> bool:
        """Whether shards are compared with their SHA-256 before they are used."""
        return self._files.verify

    def tiles(self, certify: bool = False) -> Iterator[Tile]:
        """The parts of all shards, opened one by one; `certify` includes storage errors."""
        yield from self.stored_tiles(certify)
        yield from self.added_tiles()

    def added_tiles(self) -> Iterator[Tile]:
        """The parts of added names."""
        for first, count, shard in self._added:
            yield Tile(shard, count, first, 0, np.zeros(self._templates))

    def removed(self, shards: range) -> list[Int64]:
        """The removed rows of each of some shards."""
        return [self._names.removed_rows(number) for number in shards]

    def stored_tiles(
        self, certify: bool, shards: range | None = None, removed: Sequence[Int64] | None = None
    ) -> Iterator[Tile]:
        """The parts on disk, or only those of some shards, with other rows `removed`."""
        for number, part in self._files.order(shards):
            entry = self._manifest.shards[number]
            errors = np.array(entry.parts[part].errors)
            yield Tile(
                shard=self._files.open(number, part),
                count=entry.count,
                first=entry.first,
                first_template=entry.parts[part].first_template,
                errors=errors if certify else 0 * errors,
                removed=(
                    self._names.removed_rows(number)
                    if shards is None or removed is None
                    else removed[shards.index(number)]
                ),
                file=str(self._folder / entry.parts[part].file.file),
            )

    def errors(self) -> Float64:
        """The maximum error of each template's stored rows, float64 [T]."""
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
        """Rows float32 [n, D] of templates and ascending stored ids, int64 [n] both."""
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

    def close(self) -> None:
        """Releases all files."""
        self._files.close()
