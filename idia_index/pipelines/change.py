"""Changes an index in place: adds names or templates, removes names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from idia_index.encode import embeddings
from idia_index.encode.backend import Backend
from idia_index.errors import InputError
from idia_index.pipelines.changing import Change, changing, names_sha256
from idia_index.pipelines.shard_writing import (
    Counter,
    Piece,
    announce,
    confirm,
    new_parts,
    new_shards,
    write_lookup,
)
from idia_index.prompts.grid import PromptGrid
from idia_index.prompts.packed_names import NameList
from idia_index.prompts.templates import Template, make_templates, template_key
from idia_index.search.index import Index
from idia_index.search.open import open_index
from idia_index.types import CountProgress, quiet


@dataclass(frozen=True)
class Grown:
    """The result of changing an index.

    Attributes:
        index: the index, reopened.
        done: names or templates that were added or removed.
        left_out: names or templates that already existed, or names to remove that did not, as
            given.
    """

    index: Index
    done: int
    left_out: tuple[str, ...] = ()


def add_names(
    path: str | os.PathLike[str],
    backend: Backend,
    names: NameList,
    progress: CountProgress = quiet,
) -> Grown:
    """Encodes names that the index does not have, and appends them; other ids stay.

    Raises:
        InputError: the index is of another model, a prompt exceeds the model's context length, or
            the disk is not writable.
    """
    with changing(path) as change:
        there = change.index.find(names)
        new = [name for name in names if name not in there]
        if new:
            announce(backend, [PromptGrid(change.index.templates, new)])
        change.check_model(backend)
        if new:
            _append(change, backend, PromptGrid(change.index.templates, new), progress)
        else:
            change.store.tidy()
    return Grown(open_index(path), len(new), tuple(there))


def _append(change: Change, backend: Backend, grid: PromptGrid, progress: CountProgress) -> None:
    manifest, store = change.manifest, change.store
    plan, number = manifest.plan, manifest.next_number
    for run in grid.runs(plan.shard_names):
        embeddings.check_grid(backend, grid, run.start, run.stop)
    change.begin("add", names_sha256=names_sha256(grid.names))
    counter = Counter(len(grid), progress)
    shards = new_shards(
        backend, store, plan.kind, grid, plan.shard_names, counter, number, manifest.stored
    )
    confirm(store, backend)
    number += len(shards)
    lookups = list(manifest.lookups)
    if not lookups:  # an index of format 1
        lookups.append(write_lookup(store, number + 1, 0, _all_names(change.index)))
    lookups.append(write_lookup(store, number, manifest.stored, grid.names))
    plan = replace(
        plan,
        names_sha256=names_sha256(change.index.stored_names, grid.names),
        candidates=manifest.candidates + len(grid.names),
    )
    grown = replace(manifest, plan=plan, shards=(*manifest.shards, *shards), lookups=tuple(lookups))
    change.finish(grown, {"action": "add", "names": len(grid.names)})


def remove_names(path: str | os.PathLike[str], names: NameList) -> Grown:
    """Makes names unfindable immediately; `compact` removes them from the disk.

    Raises:
        InputError: no name would be left, or the disk is not writable.
    """
    with changing(path) as change:
        found = change.index.find(names)
        missing = tuple(name for name in names if name not in found)
        if len(found) == len(change.index):
            raise InputError(f"{path}: removing all {len(found)} names would leave none; keep one")
        if found:
            _mark_removed(change, sorted(found.values()))
        else:
            change.store.tidy()
    return Grown(open_index(path), len(found), missing)


def _mark_removed(change: Change, ids: Sequence[int]) -> None:
    manifest, stored = change.manifest, change.index.stored_names
    removed = np.union1d(stored.removed, stored.stored_ids(np.array(ids)))
    gone = set(ids)
    left = (name for place, name in enumerate(stored) if place not in gone)
    plan = replace(
        manifest.plan, names_sha256=names_sha256(left), candidates=manifest.candidates - len(ids)
    )
    data = removed.astype("<i8").tobytes()
    file = change.store.write_file(f"{manifest.next_number:06d}.removed", data)
    marked = replace(manifest, plan=plan, removed=file, removed_count=len(removed))
    change.finish(marked, {"action": "remove", "names": len(ids)})


def add_templates(
    path: str | os.PathLike[str],
    backend: Backend,
    templates: Sequence[Template],
    progress: CountProgress = quiet,
) -> Grown:
    """Encodes templates that the index does not have, for all names, and appends them.

    Raises:
        InputError: a template is given twice, the index is of another model, a prompt exceeds the
            model's context length, or the disk is not writable.
    """
    make_templates([template.text for template in templates])
    with changing(path) as change:
        known = {template_key(template) for template in change.index.templates}
        new = [template for template in templates if template_key(template) not in known]
        if new:
            names = change.index.stored_names
            shards = range(len(change.manifest.shards))
            announce(backend, (PromptGrid(new, names.shard(place)) for place in shards))
        change.check_model(backend)
        if new:
            _append_templates(change, backend, new, progress)
        else:
            change.store.tidy()
    left_out = (template.text for template in templates if template_key(template) in known)
    return Grown(open_index(path), len(new), tuple(left_out))


def _append_templates(
    change: Change, backend: Backend, templates: Sequence[Template], progress: CountProgress
) -> None:
    manifest, names, store = change.manifest, change.index.stored_names, change.store
    places = range(len(manifest.shards))
    for grid in (PromptGrid(templates, names.shard(place)) for place in places):
        embeddings.check_grid(backend, grid, 0, len(grid.names))
    texts = tuple(template.text for template in templates)
    change.begin("templates", templates=texts)
    number, first = manifest.next_number, len(change.index.templates)
    pieces = (
        Piece(number + place, names.shard(place), templates, first_template=first)
        for place in places
    )
    counter = Counter(manifest.stored * len(templates), progress)
    parts = new_parts(backend, store, manifest.plan.kind, pieces, counter)
    confirm(store, backend)
    grown = replace(
        manifest,
        plan=replace(manifest.plan, templates=(*manifest.plan.templates, *texts)),
        shards=tuple(
            replace(shard, parts=(*shard.parts, part))
            for shard, part in zip(manifest.shards, parts, strict=True)
        ),
    )
    change.finish(grown, {"action": "templates", "templates": len(texts)})


def _all_names(index: Index) -> Iterator[str]:
    for number in range(len(index.manifest.shards)):
        yield from index.stored_names.shard(number)
