"""Changes an index safely: locks the directory, writes new files, then replaces the manifest.

Whatever interrupts a change, the index stays as it was, and the same call resumes from the
finished shards. Files that are no longer in a manifest are removed last.
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

DEVICE = "device"  # stored with the versions: the device that encoded the texts


def library_versions(device: str | None = None) -> dict[str, str]:
    """Versions of the installed numerical libraries, and the device if known."""
    found = installed_versions()
    return found if device is None else {**found, DEVICE: device}


def names_sha256(*runs: Iterable[str]) -> str:
    """SHA-256 of names, one per line, as in a plan."""
    found = hashlib.sha256()
    for run in runs:
        for name in run:
            found.update(name.encode() + b"\n")
    return found.hexdigest()


class Change:
    """A change of an index locked against other writers.

    Attributes:
        store: its directory.
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    @cached_property
    def index(self) -> Index:
        """The index before the change."""
        return open_as_is(self.store)

    @property
    def manifest(self) -> Manifest:
        """The manifest before the change."""
        return self.index.manifest

    @property
    def index_type(self) -> IndexType:
        """How shards are stored."""
        return load_index_type(self.manifest.plan.kind)

    def close(self) -> None:
        """Releases the files of the index before the change."""
        if "index" in self.__dict__:
            self.index.close()

    def check_model(self, backend: Backend) -> None:
        """Raises ModelError unless a backend computes the same rows as the index's."""
        self.index.check_backend(backend)
        mine, given = self.manifest.plan.fingerprint.precision, backend.fingerprint.precision
        if mine != given:
            raise ModelError(
                f"{self.index.path}: was encoded in {shown(mine)}, but the model is loaded in "
                f"{shown(given)}; load it in {shown(mine)}"
            )

    def begin(self, action: str, **asked: Any) -> None:
        """Records the change; finished parts of an earlier attempt at the same change stay."""
        of = hashlib.sha256(manifest_text(self.manifest).encode()).hexdigest()
        self.store.begin({"operation": action, "of": of, **asked})

    def finish(self, manifest: Manifest, event: Mapping[str, Any] | None = None) -> None:
        """Puts a manifest into effect, with `event` added to its history."""
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
    """An index, locked against other writers.

    Args:
        verify: as in `open_index`.
        damaged: whether its files may be missing or changed.

    Raises:
        InputError: there is no index, it is damaged, another process is writing it, or the work
            under the lock fails for lack of space or permissions.
    """
    store = Store(Path(path))
    store.read_held()  # makes no lock file if there is no index
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
    """A directory for a new index, locked against other writers.

    A failure before the first shard is finished leaves nothing behind.

    Args:
        check: raises if it may not be written to; called again under the lock.
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
