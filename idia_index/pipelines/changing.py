"""Changing an index: the directory is held, new files are written, a new manifest replaces the old.

Whatever interrupts that, the index is as it was before, and the same call resumes with the shards
that were finished. Files that no manifest names any more are removed last.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

from idia_index.encode.backend import Backend
from idia_index.errors import IdiaIndexError, ModelError
from idia_index.plugins import IndexType
from idia_index.registry import load_index_type
from idia_index.search.index import Index
from idia_index.search.open import open_as_is, open_index
from idia_index.store.directory import Store
from idia_index.store.manifest import FORMAT, Manifest
from idia_index.store.manifest_json import manifest_text
from idia_index.support.text import shown
from idia_index.support.versions import installed_versions

DEVICE = "device"  # beside the versions: what the texts were encoded on


def library_versions(device: str | None = None) -> dict[str, str]:
    """Versions of what computes, of those that are installed, and the device if it is known."""
    found = installed_versions()
    return found if device is None else {**found, DEVICE: device}


def names_sha256(*runs: Iterable[str]) -> str:
    """SHA-256 of names, a line each, as a plan has it."""
    found = hashlib.sha256()
    for run in runs:
        for name in run:
            found.update(name.encode() + b"\n")
    return found.hexdigest()


class Change:
    """A change of an index that is held against other writers.

    Attributes:
        store: its directory.
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    @cached_property
    def index(self) -> Index:
        """The index as it was."""
        return open_as_is(self.store)

    @property
    def manifest(self) -> Manifest:
        """The manifest as it was."""
        return self.index.manifest

    @property
    def index_type(self) -> IndexType:
        """How shards are stored."""
        return load_index_type(self.manifest.plan.kind)

    def close(self) -> None:
        """Lets go of the files of the index as it was."""
        if "index" in self.__dict__:
            self.index.close()

    def check_model(self, backend: Backend) -> None:
        """Raises ModelError unless a backend's rows are those that the index was built from."""
        self.index.check_backend(backend)
        mine, given = self.manifest.plan.fingerprint.precision, backend.fingerprint.precision
        if mine != given:
            raise ModelError(
                f"{self.index.path}: was encoded in {shown(mine)}, but the model is loaded in "
                f"{shown(given)}; load it as it was"
            )

    def begin(self, action: str, **asked: Any) -> None:
        """Notes what is being done; what an earlier try of the very same has finished stays."""
        of = hashlib.sha256(manifest_text(self.manifest).encode()).hexdigest()
        self.store.begin({"operation": action, "of": of, **asked})

    def finish(self, manifest: Manifest, event: Mapping[str, Any] | None = None) -> None:
        """Makes a manifest what the index is; `event` is added to its history."""
        events = () if event is None else ({**event, "candidates": manifest.plan.candidates},)
        self.close()
        self.store.finish(
            replace(
                manifest,
                history=(*manifest.history, *events),
                versions=library_versions(manifest.versions.get(DEVICE)),
                format=FORMAT,
            )
        )


@contextmanager
def changing(
    path: str | os.PathLike[str], *, verify: bool = False, damaged: bool = False
) -> Iterator[Change]:
    """An index, held against other writers.

    Args:
        verify: as of `open_index`.
        damaged: whether files of it may be missing or changed.

    Raises:
        InputError: there is no index, it is damaged, or another process is writing it, or what
            is done while it is held fails for want of space or of rights.
    """
    store = Store(Path(path))
    store.read_held()  # no lock file where there is no index
    with store.writing():
        change = Change(store)
        if not damaged:
            change.index = open_index(path, verify=verify)
        try:
            yield change
        finally:
            change.close()


@contextmanager
def creating(store: Store, check: Callable[[], None]) -> Iterator[None]:
    """A directory for a new index, held against other writers.

    A model or a disk that fails before the first shard is finished leaves nothing behind.

    Args:
        check: raises where it may not be written to; asked again once it is held.
    """
    made = store.create()
    with store.writing():
        check()
        new = store.read_plan() is None
        try:
            yield
        except (IdiaIndexError, OSError):
            if new and not store.notes.shards():
                store.abandon(made)
            raise
