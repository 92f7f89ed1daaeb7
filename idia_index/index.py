"""An index that is open: its names, its shards, and the search of every template."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import ArrayLike

from idia_index.errors import IdiaIndexError, InputError
from idia_index.manifest import Manifest, ShardEntry
from idia_index.names import name_key
from idia_index.protocols import Backend, IndexKind, Shard
from idia_index.records import Float32, Int64
from idia_index.registry import index_kind
from idia_index.search import merge_topk
from idia_index.store import Store, sha256_file
from idia_index.templates import Template, make_templates


class StoredNames(Sequence[str]):
    """The names of an index, read shard by shard when they are asked for."""

    def __init__(self, folder: Path, shards: Sequence[ShardEntry]) -> None:
        self._folder = folder
        self._shards = shards
        self._starts = np.array([shard.first for shard in shards])
        self._read: dict[int, list[str]] = {}

    def __len__(self) -> int:
        return self._shards[-1].first + self._shards[-1].count

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        i = range(len(self))[index]
        number = int(np.searchsorted(self._starts, i, side="right")) - 1
        return self.shard(number)[i - self._shards[number].first]

    def shard(self, number: int) -> list[str]:
        """The names of one shard; raises InputError if their file was changed."""
        if number not in self._read:
            self._read[number] = self._load(self._shards[number])
        return self._read[number]

    def find(self, keys: Iterable[str]) -> dict[str, int]:
        """Ids of the names with these `name_key`s; a key that no name has is left out."""
        wanted = set(keys)
        found: dict[str, int] = {}
        for number, shard in enumerate(self._shards):
            if len(found) == len(wanted):
                break
            for place, name in enumerate(self.shard(number)):
                if (key := name_key(name)) in wanted:
                    found.setdefault(key, shard.first + place)
        return found

    def _load(self, shard: ShardEntry) -> list[str]:
        path = self._folder / shard.names.file
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != shard.names.sha256:
            raise InputError(f"{path}: was changed after the build; build the index again")
        names = data.decode("utf-8").removesuffix("\n").split("\n")
        if len(names) != shard.count:
            raise InputError(
                f"{path}: holds {len(names)} names, the manifest says {shard.count}; "
                "build the index again"
            )
        return names


class Index:
    """Text embeddings of T templates x N candidate names, searched template by template.

    Attributes:
        templates: the T templates; template ids are their positions.
        names: the N candidate names; name ids are their positions.
        manifest: what the index was built from.
        extra_names: candidates that were added to this view and are on no disk.
    """

    def __init__(self, store: Store, manifest: Manifest, kind: IndexKind) -> None:
        """Opened by `open_index`."""
        self.manifest = manifest
        self.templates: tuple[Template, ...] = make_templates(manifest.plan.templates)
        self.extra_names: tuple[str, ...] = ()
        self._stored_names = StoredNames(store.path, manifest.shards)
        self._store = store
        self._kind = kind
        self._extra_runs: tuple[tuple[int, Shard], ...] = ()

    @property
    def path(self) -> Path:
        """The index directory."""
        return self._store.path

    @property
    def names(self) -> Sequence[str]:
        """All N candidate names, those of this view last."""
        if not self.extra_names:
            return self._stored_names
        return [*self._stored_names, *self.extra_names]

    def name(self, name_id: int) -> str:
        """The candidate name of an id; raises IndexError out of range."""
        stored = len(self._stored_names)
        return self._stored_names[name_id] if name_id < stored else self.extra_names[name_id - stored]

    def __len__(self) -> int:
        """Number of candidate names, N."""
        return self.manifest.candidates + len(self.extra_names)

    @cached_property
    def _shards(self) -> list[Shard]:
        shape = (len(self.templates), self.manifest.plan.fingerprint.dim)
        return [
            self._kind.open_shard(
                self.path / entry.embeddings.file, (shape[0], entry.count, shape[1])
            )
            for entry in self.manifest.shards
        ]

    def _runs(self) -> list[tuple[int, Shard]]:
        """Each shard with the id of its first name."""
        runs = [
            (entry.first, shard)
            for entry, shard in zip(self.manifest.shards, self._shards, strict=True)
        ]
        return [*runs, *self._extra_runs]

    def search(self, image_embeddings: ArrayLike, k: int = 1) -> tuple[Float32, Int64]:
        """The k most similar candidate names for each image, in each template on its own.

        Args:
            image_embeddings: float32 [M, D], unit rows.
            k: 1 to N.

        Returns:
            similarities float32 [T, M, k], falling, and name ids int64 [T, M, k]; equal
            similarities stand in the order of their name ids.

        Raises:
            InputError: k is out of range, or the embeddings are not [M, D] finite numbers.
        """
        queries = np.ascontiguousarray(image_embeddings, np.float32)
        dim = self.manifest.plan.fingerprint.dim
        if queries.ndim != 2 or queries.shape[1] != dim:
            raise InputError(f"image embeddings are {queries.shape}, the index takes [M, {dim}]")
        if not np.isfinite(queries).all():
            raise InputError("image embeddings hold values that are not finite")
        if not 1 <= k <= len(self):
            raise InputError(f"k is {k}, but the index has {len(self)} names: choose 1 to that")
        found = []
        for first, shard in self._runs():
            similarities, rows = shard.search(queries, k)
            found.append((similarities, np.where(rows >= 0, rows + first, -1)))
        return merge_topk(found, k)

    def text_embeddings(self, template: int, name_ids: ArrayLike) -> Float32:
        """Text embeddings float32 [n, D], unit rows, of one template for n name ids.

        Raises:
            InputError: an id is out of range.
        """
        ids = np.asarray(name_ids, np.int64).reshape(-1)
        if not 0 <= template < len(self.templates):
            raise InputError(f"template {template}: the index has {len(self.templates)}, from 0")
        if len(ids) and not 0 <= ids.min() <= ids.max() < len(self):
            raise InputError(f"name ids go from 0 to {len(self) - 1}, not {ids.min()}..{ids.max()}")
        out = np.empty((len(ids), self.manifest.plan.fingerprint.dim), np.float32)
        runs = self._runs()
        owners = np.searchsorted([first for first, _ in runs], ids, side="right") - 1
        for number in np.unique(owners):
            first, shard = runs[number]
            mine = owners == number
            out[mine] = shard.text_embeddings(template, ids[mine] - first)
        return out

    def with_names(self, names: Sequence[str], text_embeddings: Float32) -> Index:
        """A view with more candidates, float32 [T, len(names), D]; nothing is written."""
        view = Index(self._store, self.manifest, self._kind)
        view._stored_names = self._stored_names
        view.__dict__["_shards"] = self._shards
        view.extra_names = (*self.extra_names, *names)
        run = (len(self), self._kind.in_memory(text_embeddings))
        view._extra_runs = (*self._extra_runs, run)
        return view

    def find(self, names: Iterable[str]) -> dict[str, int]:
        """Ids of the candidates that are the same names (see `names.name_key`).

        Returns a dict from each given name that was found to its id.
        """
        keys = {name: name_key(name) for name in names}
        found = self._stored_names.find(keys.values())
        for place, name in enumerate(self.extra_names, self.manifest.candidates):
            found.setdefault(name_key(name), place)
        return {name: found[key] for name, key in keys.items() if key in found}

    def check_backend(self, backend: Backend) -> None:
        """Raises InputError, naming what differs, if the index was built with another model."""
        differences = self.manifest.plan.fingerprint.differences(backend.fingerprint)
        if differences:
            raise InputError(
                f"{self.path}: built with another model than {backend.model!r} "
                f"({'; '.join(differences)}); use the model it was built with, or build again"
            )

    def check_shards(self) -> None:
        """Compares every shard with its SHA-256; raises IdiaIndexError for the first that differs."""
        for entry in self.manifest.shards:
            path = self.path / entry.embeddings.file
            if sha256_file(path) != entry.embeddings.sha256:
                raise IdiaIndexError(f"{path}: was changed after the build; build the index again")


def open_index(path: str | os.PathLike[str]) -> Index:
    """Opens an index directory. Reads its manifest; shards are mapped when first searched.

    Raises:
        InputError: there is no index, an unfinished one, or a damaged one.
        MissingExtraError: the packages of its index kind are not installed.
    """
    store = Store(Path(path))
    manifest = store.read_manifest()
    return Index(store, manifest, index_kind(manifest.plan.kind))
