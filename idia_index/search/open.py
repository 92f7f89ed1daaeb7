"""Opens an index directory with the index type that reads it."""

from __future__ import annotations

import os
from pathlib import Path

from idia_index.errors import DamagedIndexError, InputError, MissingExtraError
from idia_index.plugins import IndexType
from idia_index.prompts.templates import make_templates
from idia_index.registry import load_index_type
from idia_index.search.index import Index
from idia_index.store.directory import MANIFEST, Store
from idia_index.store.manifest import Manifest
from idia_index.store.shards import ShardFiles


def open_index(
    path: str | os.PathLike[str], *, verify: bool = False, serve: str | None = None
) -> Index:
    """Opens an index directory. Reads the manifest now, names and shards only when needed.

    Args:
        path: the index directory.
        verify: check each shard against its SHA-256 before its first use. The manifest and names
            are always checked.
        serve: another index type that reads the same files, such as "torch" or "faiss-gpu" for
            an index of type "flat"; None for the type it was built as.

    Raises:
        InputError: there is no index, or it is unfinished or damaged, or its files cannot be
            read by `serve`.
        MissingExtraError: the packages of its index type are not installed.
    """
    store = Store(Path(path))
    manifest, held = store.open_manifest()
    index_type = type_of(manifest, store)
    if serve is not None:
        index_type = _serving(path, index_type, load_index_type(serve))
    store = Store(store.path.absolute())  # the process may change its working folder
    return Index(
        store, manifest, index_type, ShardFiles(store.path, manifest, index_type, held, verify)
    )


def open_as_is(store: Store) -> Index:
    """The index, whether or not all its files are intact; otherwise raises as `open_index`."""
    manifest, held = store.read_held()
    index_type = type_of(manifest, store)
    return Index(store, manifest, index_type, ShardFiles(store.path, manifest, index_type, held))


def type_of(manifest: Manifest, store: Store) -> IndexType:
    """The index type that a manifest names.

    Raises:
        InputError: there is none of that name, or the manifest is wrong about whether it is exact
            or holds invalid templates.
        MissingExtraError: the packages of the index type are not installed.
    """
    file, plan = store.path / MANIFEST, manifest.plan
    try:
        index_type = load_index_type(plan.kind)
    except MissingExtraError:
        raise
    except InputError as error:
        raise InputError(f"{file}: {error}") from error
    try:
        make_templates(plan.templates)
    except InputError as error:
        raise DamagedIndexError(f"{file}: {error}") from error
    if plan.exact != index_type.exact:
        raise DamagedIndexError(
            f"{file}: records exact: {plan.exact} for the index type {plan.kind!r}; "
            "rebuild the index"
        )
    return index_type


def _serving(path: object, built: IndexType, wanted: IndexType) -> IndexType:
    if (wanted.suffix, wanted.exact) != (built.suffix, True):
        raise InputError(
            f"{path}: the index type {wanted.name!r} does not read the files of {built.name!r}; "
            f"build an index with --index {wanted.name}"
        )
    wanted.self_test()
    return wanted
