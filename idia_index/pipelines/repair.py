"""Making again what `verify` finds damaged: shards from the model, lookups from the names."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from idia_index.encode import embeddings
from idia_index.encode.backend import Backend
from idia_index.encode.image_cache import FILE
from idia_index.errors import DamagedIndexError
from idia_index.pipelines.build import DEVICE, BuildProgress, library_versions, write_lookup
from idia_index.pipelines.change import Counter, check_model, operation
from idia_index.pipelines.verify import Finding, open_index_as_is, verify
from idia_index.prompts.grid import PromptGrid
from idia_index.prompts.templates import make_templates
from idia_index.registry import load_index_type
from idia_index.store.directory import Store
from idia_index.store.manifest_json import FORMAT, LookupEntry, Manifest, PartEntry, ShardEntry


@dataclass(frozen=True)
class Repaired:
    """What was wrong with an index and is not any more.

    Attributes:
        findings: what was found.
        encoded: parts of shards that were encoded again.
        lookups: whether the files that find names were written again.
    """

    findings: tuple[Finding, ...]
    encoded: int
    lookups: bool


def _quiet(done: int, total: int) -> None:
    """Progress of a caller that wants none."""


def repair(
    path: str | os.PathLike[str], backend: Backend, progress: BuildProgress = _quiet
) -> Repaired:
    """Encodes the damaged shards again, and no other.

    One that was interrupted is gone on with; an unfinished `add` begins anew after it.

    Raises:
        InputError: there is no index, the model is another one, or what is damaged is on no
            model: the manifest, a file of names, the list of removed names.
    """
    store = Store(Path(path))
    store.read_held()
    with store.writing():
        findings = verify(path, backend)
        if any(f.file == FILE for f in findings):
            (store.path / FILE).unlink(missing_ok=True)
        manifest, held = store.read_held()
        held.close()
        lost = [f for f in findings if f.part is None and not _is_lookup(manifest, f)]
        lost = [f for f in lost if f.file != FILE]
        if lost:
            raise DamagedIndexError(
                f"{store.path / lost[0].file}: {lost[0].problem}; the model cannot give names "
                "back: copy the file from a backup, or build the index again"
            )
        if not findings:
            return Repaired((), 0, False)
        bad = sorted(
            {(f.shard, f.part) for f in findings if f.shard is not None and f.part is not None}
        )
        # What an add has noted is called by the numbers that follow the manifest's, too.
        store.begin({**operation("repair", manifest), "parts": bad})
        mended, number = _encode(store, manifest, backend, bad, progress)
        lookups = any(_is_lookup(manifest, f) for f in findings)
        if lookups:
            mended = replace(mended, lookups=(_lookup(store, mended, number),))
        event = {"action": "repair", "parts": len(bad), "candidates": manifest.candidates}
        store.finish(
            replace(
                mended,
                history=(*manifest.history, event),
                versions=library_versions(manifest.versions.get(DEVICE)),
                format=FORMAT,
            )
        )
    return Repaired(tuple(findings), len(bad), lookups)


def _is_lookup(manifest: Manifest, finding: Finding) -> bool:
    return any(finding.file in (e.keys.file, e.sums.file) for e in manifest.lookups)


def _lookup(store: Store, manifest: Manifest, number: int) -> LookupEntry:
    names = open_index_as_is(store, manifest).stored_names
    every = (name for place in range(len(manifest.shards)) for name in names.shard(place))
    return write_lookup(store, number, 0, every)


def _encode(
    store: Store,
    manifest: Manifest,
    backend: Backend,
    bad: list[tuple[int, int]],
    progress: BuildProgress,
) -> tuple[Manifest, int]:
    """The manifest with new files for bad parts, and the next number that is free."""
    index = open_index_as_is(store, manifest)
    check_model(index, backend)
    index_type, number = load_index_type(manifest.plan.kind), manifest.next_number
    done, shards = store.notes.parts(), list(manifest.shards)
    prompts = sum(shards[s].count * shards[s].parts[p].templates for s, p in bad)
    counter = Counter(prompts, progress)
    for shard, place in bad:
        entry = shards[shard]
        part = entry.parts[place]
        if number in done:
            counter(entry.count * part.templates)
        else:
            stop = part.first_template + part.templates
            templates = make_templates(manifest.plan.templates[part.first_template : stop])
            grid = PromptGrid(templates, index.stored_names.shard(shard))
            rows = embeddings.encode_grid(backend, grid, 0, entry.count, counter)
            done[number] = store.write_part(number, part.first_template, rows, index_type)
        shards[shard] = _with_part(entry, place, done[number])
        number += 1
    return replace(manifest, shards=tuple(shards)), number


def _with_part(entry: ShardEntry, place: int, part: PartEntry) -> ShardEntry:
    parts = list(entry.parts)
    parts[place] = part
    return replace(entry, parts=tuple(parts))
