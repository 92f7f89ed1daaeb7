"""The build pipeline: encodes names and templates into an index on disk."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from idia_index.encode import embeddings
from idia_index.encode.backend import Backend
from idia_index.errors import InputError, NoSpaceError, RefusedError
from idia_index.pipelines.changing import creating, library_versions, names_sha256
from idia_index.pipelines.shard_writing import Counter, announce, confirm, new_shards, write_lookup
from idia_index.prompts.grid import PromptGrid
from idia_index.prompts.names import make_names
from idia_index.prompts.packed_names import NameList
from idia_index.prompts.templates import JAIR2024 as JAIR2024
from idia_index.prompts.templates import Template, as_templates
from idia_index.registry import load_index_type
from idia_index.search.index import Index
from idia_index.search.open import open_index
from idia_index.store.directory import Store
from idia_index.store.manifest import BuildPlan, Manifest
from idia_index.store.name_lookup import KEY_BYTES
from idia_index.support.documents import to_object
from idia_index.support.files import free_bytes
from idia_index.support.text import shown_path
from idia_index.types import CountProgress, quiet

SHARD_BYTES = 64 << 20


def is_built(path: str | os.PathLike[str]) -> bool:
    """Whether there is a finished index at `path`."""
    return Store(Path(path)).is_finished()


def check_place(path: str | os.PathLike[str], *, resume: bool = False) -> None:
    """Checks, before a model is loaded, that `build_index` can use the path.

    Raises:
        InputError: it holds an index, an unfinished build, or something else.
    """
    store = Store(Path(path))
    if not (resume and store.is_finished()):
        _begun(store, resume)


def build_index(
    path: str | os.PathLike[str],
    backend: Backend,
    names: Sequence[str],
    templates: Sequence[Template | str] | None = None,
    *,
    index_type: str = "flat",
    pool: Mapping[str, Any] | None = None,
    resume: bool = False,
    progress: CountProgress = quiet,
    checking: CountProgress = quiet,
) -> Index:
    """Encodes every combination of template and name, and writes an index directory.

    Each shard is written when it is finished, the manifest last. An interrupted build leaves no
    index, and resumes after its last finished shard when called again with `resume`. One that
    fails before its first shard leaves nothing.

    Args:
        path: the index directory to create.
        backend: the model.
        names: N candidate names; plain strings are read as by `names.make_names`, and a name that
            occurs twice counts once.
        templates: the prompt templates, as texts with {0} or {name}; None: the paper's 21.
        index_type: name of the index type.
        pool: how to draw `names` again, if they were sampled; stored in the manifest.
        resume: resume an unfinished build with the same arguments; start one if there is none.
        progress: called with the number of prompts done and the total.
        checking: called before that, if it takes long, with the number of names whose prompts were
            checked and the total.

    Raises:
        InputError: a name is not valid, `path` is in use, `resume` does not match the unfinished
            build, a prompt exceeds the model's context length, or the disk is too small or not
            writable.
        MissingExtraError: the packages of the index type are not installed.
    """
    store = Store(Path(path))
    grid = PromptGrid(
        JAIR2024 if templates is None else as_templates(templates),
        names if isinstance(names, NameList) else make_names(names),
    )
    _recognise(store, backend, resume)
    announce(backend, [grid])
    plan = _plan(backend, grid, index_type, pool)
    if resume and store.is_finished():
        index = _finished(store, plan)
        if store.left_notes():
            with store.writing():
                store.tidy()
        return index
    _check_free(store, plan, resume)
    check_room(path, backend, len(grid.names), len(grid.templates), index_type)
    for run in grid.runs(plan.shard_names):
        if run.start:
            checking(run.start, len(grid.names))
        embeddings.check_grid(backend, grid, run.start, run.stop)
    with creating(store, partial(_check_free, store, plan, resume)):
        store.write_plan(plan)
        counter = Counter(len(grid), progress)
        shards = new_shards(backend, store, index_type, grid, plan.shard_names, counter)
        lookup = write_lookup(store, len(shards), 0, grid.names)
        confirm(store, backend)
        versions = library_versions(backend.device)
        store.finish(Manifest(plan, tuple(shards), versions, (lookup,)))
    return _finished(store, plan)


def _recognise(store: Store, backend: Backend, resume: bool) -> None:
    """Tells a backend which model an existing or unfinished index was built with."""
    if resume and store.is_finished():
        backend.recognise(store.open_manifest()[0].plan.load_options)
    elif resume and (begun := store.read_plan()) is not None:
        backend.recognise(begun.load_options)


def check_room(
    path: str | os.PathLike[str], backend: Backend, names: int, templates: int, index_type: str
) -> None:
    """Raises NoSpaceError if the disk of `path` cannot hold an index of so many names.

    What a resumed build has already written counts as free. An index type that does not state the
    size of its rows is not checked for them.
    """
    row = templates * load_index_type(index_type).row_bytes(backend.fingerprint.dim)
    needed, room = names * (row + KEY_BYTES), free_bytes(Path(path))
    if room is not None and needed > room:
        raise NoSpaceError(
            f"{shown_path(path)}: {names:,} names x {templates} templates as index type "
            f"{index_type!r} need at least {_size(needed)}, but only {_size(room)} are free; use "
            "fewer names or templates, another disk, or a smaller index type (--index float16)"
        )


def _size(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.2f} MB"


def _plan(
    backend: Backend, grid: PromptGrid, index_type: str, pool: Mapping[str, Any] | None
) -> BuildPlan:
    row = len(grid.templates) * backend.fingerprint.dim * 4
    return BuildPlan(
        kind=index_type,
        exact=load_index_type(index_type).exact,
        backend=backend.name,
        model=backend.model,
        load_options=dict(backend.load_options),
        fingerprint=backend.fingerprint,
        templates=tuple(template.text for template in grid.templates),
        shard_names=max(1, SHARD_BYTES // row),
        names_sha256=names_sha256(grid.names),
        candidates=len(grid.names),
        pool=pool,
        model_notes=tuple(backend.notes),
    )


def _check_free(store: Store, plan: BuildPlan, resume: bool) -> None:
    """Raises InputError unless the directory is new, empty, or this build's own."""
    begun = _begun(store, resume)
    if begun is not None:
        _check_same(store, begun, plan)


def _begun(store: Store, resume: bool) -> BuildPlan | None:
    """The plan of an unfinished build to resume; raises InputError for anything else there."""
    if store.is_finished():
        raise RefusedError(
            f"{store.path}: an index already exists here; choose another directory or remove it"
        )
    begun = store.read_plan()
    if begun is None:
        if store.holds_other_files():
            raise RefusedError(
                f"{store.path}: neither empty nor an index; choose another directory"
            )
    elif not resume:
        with store.writing():  # refused as such if another process is building it
            pass
        raise InputError(
            f"{store.path}: holds an unfinished build; resume it with --resume, or remove the "
            "directory"
        )
    return begun


def _check_same(store: Store, begun: BuildPlan, plan: BuildPlan) -> None:
    old, new = to_object(begun), to_object(plan)
    # The path of the model's files may change, the model may not.
    places = ("model", "model_notes")
    differing = [field for field in old if field not in places and old[field] != new[field]]
    if differing:
        raise InputError(
            f"{store.path}: was started with other arguments ({', '.join(differing)}); "
            "use the same, or choose another directory"
        )


def _finished(store: Store, plan: BuildPlan) -> Index:
    index = open_index(store.path)
    _check_same(store, index.manifest.plan, plan)
    return index
