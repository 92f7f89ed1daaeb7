"""Changing an index in place: more names, more templates, fewer names, fewer files.

New files are written first, then a manifest that names them replaces the old one, then files
that nothing needs any more are removed. Whatever interrupts that, the index is as it was before,
and the same call goes on with the shards that were finished.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from idia_index.encode import embeddings
from idia_index.encode.backend import Backend
from idia_index.errors import InputError, ModelError
from idia_index.pipelines.build import DEVICE, BuildProgress, library_versions, write_lookup
from idia_index.prompts.grid import PromptGrid
from idia_index.prompts.names import NameList
from idia_index.prompts.templates import Template, make_templates, template_key
from idia_index.registry import load_index_type
from idia_index.search.index import Index
from idia_index.search.open import open_index
from idia_index.store.directory import Store
from idia_index.store.manifest_json import FORMAT, Manifest, manifest_text
from idia_index.support.concurrency import one_behind
from idia_index.support.text import shown
from idia_index.types import Float32


def _quiet(done: int, total: int) -> None:
    """Progress of a caller that wants none."""


@dataclass(frozen=True)
class Grown:
    """What an index has become.

    Attributes:
        index: the index, opened again.
        done: names or templates that were added or removed.
        left_out: names or templates that were there already, or names that were not there to
            remove, as given.
    """

    index: Index
    done: int
    left_out: tuple[str, ...] = ()


@contextmanager
def changing(
    path: str | os.PathLike[str], *, verify: bool = False
) -> Iterator[tuple[Store, Index]]:
    """The index, held against other writers; `verify` as of `open_index`.

    Raises:
        InputError: there is no index, it is damaged, or another process is writing it.
    """
    store = Store(Path(path))
    store.read_held()  # no lock file where there is no index
    with store.writing():
        index = open_index(path, verify=verify)
        try:
            yield store, index
        finally:
            index.close()


def add_names(
    path: str | os.PathLike[str],
    backend: Backend,
    names: NameList,
    progress: BuildProgress = _quiet,
) -> Grown:
    """Encodes names that the index does not have, and appends them; ids of others stay.

    Raises:
        InputError: the index is of another model, a prompt is past the model's context length,
            or the disk cannot be written.
    """
    with changing(path) as (store, index):
        check_model(index, backend)
        there = index.find(names)
        new = [name for name in names if name not in there]
        if new:
            _append(store, index, backend, PromptGrid(index.templates, new), progress)
        else:
            store.tidy()
    return Grown(open_index(path), len(new), tuple(there))


def _append(
    store: Store, index: Index, backend: Backend, grid: PromptGrid, progress: BuildProgress
) -> None:
    manifest = index.manifest
    runs = list(grid.runs(manifest.plan.shard_names))
    for run in runs:
        embeddings.check_grid(backend, grid, run.start, run.stop)
    store.begin({**operation("add", manifest), "names_sha256": digest(grid.names)})
    done, counter = store.notes.shards(), Counter(len(grid), progress)
    index_type, first_number = load_index_type(manifest.plan.kind), manifest.next_number

    def write(number: int, run: slice, rows: Float32) -> None:
        first = manifest.stored + run.start
        done[number] = store.write_shard(number, first, list(grid.names[run]), rows, index_type)

    with one_behind() as later:  # a shard is written while the next is encoded
        for number, run in enumerate(runs, first_number):
            if number in done:
                counter((run.stop - run.start) * len(grid.templates))
                continue
            rows = embeddings.encode_grid(backend, grid, run.start, run.stop, counter)
            later(partial(write, number, run, rows))
    number = first_number + len(runs)
    shards = [done[n] for n in range(first_number, number)]
    lookups = list(manifest.lookups)
    if not lookups:  # an index of format 1
        lookups.append(write_lookup(store, number + 1, 0, _all_names(index)))
    lookups.append(write_lookup(store, number, manifest.stored, grid.names))
    plan = replace(
        manifest.plan,
        names_sha256=digest(index.stored_names, grid.names),
        candidates=manifest.candidates + len(grid.names),
    )
    grown = replace(manifest, plan=plan, shards=(*manifest.shards, *shards), lookups=tuple(lookups))
    index.close()
    _finish(store, grown, {"action": "add", "names": len(grid.names)})


def remove_names(path: str | os.PathLike[str], names: NameList) -> Grown:
    """Makes names unfindable at once; `compact` takes them off the disk.

    Raises:
        InputError: no name would be left, or the disk cannot be written.
    """
    with changing(path) as (store, index):
        found = index.find(names)
        missing = tuple(name for name in names if name not in found)
        if len(found) == len(index):
            raise InputError(f"{path}: removing all {len(found)} names would leave none; keep one")
        if found:
            _mark_removed(store, index, sorted(found.values()))
        else:
            store.tidy()
    return Grown(open_index(path), len(found), missing)


def _mark_removed(store: Store, index: Index, ids: Sequence[int]) -> None:
    manifest, stored = index.manifest, index.stored_names
    removed = np.union1d(stored.removed, stored.stored_ids(np.array(ids)))
    gone = set(ids)
    left = (name for place, name in enumerate(stored) if place not in gone)
    plan = replace(
        manifest.plan, names_sha256=digest(left), candidates=manifest.candidates - len(ids)
    )
    file = store.write_file(f"{manifest.next_number:06d}.removed", removed.astype("<i8").tobytes())
    marked = replace(manifest, plan=plan, removed=file, removed_count=len(removed))
    index.close()
    _finish(store, marked, {"action": "remove", "names": len(ids)})


def add_templates(
    path: str | os.PathLike[str],
    backend: Backend,
    templates: Sequence[Template],
    progress: BuildProgress = _quiet,
) -> Grown:
    """Encodes templates that the index does not have, for all names, after those that are there.

    Raises:
        InputError: a template is given twice, the index is of another model, a prompt is past
            the model's context length, or the disk cannot be written.
    """
    make_templates([template.text for template in templates])
    with changing(path) as (store, index):
        check_model(index, backend)
        known = {template_key(template) for template in index.templates}
        new = [template for template in templates if template_key(template) not in known]
        if new:
            _append_templates(store, index, backend, new, progress)
        else:
            store.tidy()
    left_out = (template.text for template in templates if template_key(template) in known)
    return Grown(open_index(path), len(new), tuple(left_out))


def _append_templates(
    store: Store,
    index: Index,
    backend: Backend,
    templates: Sequence[Template],
    progress: BuildProgress,
) -> None:
    manifest, names = index.manifest, index.stored_names
    grids = (PromptGrid(templates, names.shard(n)) for n in range(len(manifest.shards)))
    for grid in grids:
        embeddings.check_grid(backend, grid, 0, len(grid.names))
    texts = tuple(t.text for t in templates)
    store.begin({**operation("templates", manifest), "templates": texts})
    done, index_type = store.notes.parts(), load_index_type(manifest.plan.kind)
    counter = Counter(manifest.stored * len(templates), progress)
    shards = []
    for place, shard in enumerate(manifest.shards):
        number = manifest.next_number + place
        if number in done:
            counter(shard.count * len(templates))
        else:
            grid = PromptGrid(templates, names.shard(place))
            rows = embeddings.encode_grid(backend, grid, 0, shard.count, counter)
            done[number] = store.write_part(number, len(index.templates), rows, index_type)
        shards.append(replace(shard, parts=(*shard.parts, done[number])))
    plan = replace(manifest.plan, templates=(*manifest.plan.templates, *texts))
    grown = replace(manifest, plan=plan, shards=tuple(shards))
    index.close()
    _finish(store, grown, {"action": "templates", "templates": len(texts)})


def check_model(index: Index, backend: Backend) -> None:
    """Raises InputError unless a backend's rows are those that the index was built from."""
    index.check_backend(backend)
    mine, given = index.manifest.plan.fingerprint.precision, backend.fingerprint.precision
    if mine != given:
        raise ModelError(
            f"{index.path}: was encoded in {shown(mine)}, but the model is loaded in "
            f"{shown(given)}; load it as it was"
        )


def digest(*names: Iterable[str]) -> str:
    """SHA-256 of names, a line each, as a plan has it."""
    found = hashlib.sha256()
    for run in names:
        for name in run:
            found.update(name.encode() + b"\n")
    return found.hexdigest()


def _all_names(index: Index) -> Iterator[str]:
    for number in range(len(index.manifest.shards)):
        yield from index.stored_names.shard(number)


def operation(action: str, manifest: Manifest) -> Mapping[str, Any]:
    """What tells one change of an index from another."""
    return {
        "operation": action,
        "of": hashlib.sha256(manifest_text(manifest).encode()).hexdigest(),
    }


def _finish(store: Store, manifest: Manifest, event: Mapping[str, Any]) -> None:
    event = {**event, "candidates": manifest.plan.candidates}
    history = (*manifest.history, event)
    grown = replace(
        manifest,
        history=history,
        versions=library_versions(manifest.versions.get(DEVICE)),
        format=FORMAT,
    )
    store.finish(grown)


class Counter:
    """Adds up what is done, and passes it on."""

    def __init__(self, total: int, progress: BuildProgress) -> None:
        self._done = 0
        self._total = total
        self._progress = progress

    def __call__(self, count: int) -> None:
        self._done += count
        self._progress(self._done, self._total)
