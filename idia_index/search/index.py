"""An open index: its names, its shards, and the per-template search."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from idia_index.encode import embeddings
from idia_index.encode.backend import Backend
from idia_index.errors import InputError, ModelError
from idia_index.plugins import Engine, IndexType
from idia_index.prompts.names import name_key
from idia_index.prompts.templates import Template, make_templates
from idia_index.search.certify import Answer, first_replaced
from idia_index.search.exhaustive import is_shorter
from idia_index.search.on_workers import SpreadSearch
from idia_index.search.rows import IndexedRows
from idia_index.search.scan import MOST
from idia_index.search.strategies import (
    CertifiedScan,
    Exhaustive,
    Scan,
    ShardByShard,
    Spread,
    Strategy,
)
from idia_index.store.directory import MANIFEST, Store
from idia_index.store.manifest import Manifest
from idia_index.store.shards import ShardFiles
from idia_index.store.stored_names import StoredNames
from idia_index.support.text import shown
from idia_index.types import Float32, Int64


class Index:
    """Text embeddings of T templates x N candidate names, searched template by template.

    Attributes:
        templates: the T templates; template ids are their positions.
        names: the N candidate names; name ids are their positions.
        manifest: what the index was built from.
        extra_names: candidates added to this view only, which are not on disk.
    """

    def __init__(
        self, store: Store, manifest: Manifest, index_type: IndexType, files: ShardFiles
    ) -> None:
        """Opened by `open_index`."""
        self.manifest = manifest
        self.templates: tuple[Template, ...] = make_templates(manifest.plan.templates)
        self.extra_names: tuple[str, ...] = ()
        self._stored_names = StoredNames(store.path, manifest)
        self._rows = IndexedRows(store.path, manifest, self._stored_names, files)
        self._store = store
        self._index_type = index_type
        self._backend: Backend | None = None
        self._engine: Engine | None = None

    @property
    def path(self) -> Path:
        """The index directory."""
        return self._store.path

    def close(self) -> None:
        """Releases its files, which a writer may then remove."""
        self._rows.close()

    @property
    def stored_names(self) -> StoredNames:
        """The candidate names on disk, without those added to this view."""
        return self._stored_names

    @property
    def names(self) -> Sequence[str]:
        """All N candidate names, those added to this view last."""
        if not self.extra_names:
            return self._stored_names
        return [*self._stored_names, *self.extra_names]

    def name(self, name_id: int) -> str:
        """The candidate name of an id; raises IndexError if out of range."""
        stored = len(self._stored_names)
        if name_id < stored:
            return self._stored_names[name_id]
        return self.extra_names[name_id - stored]

    def __repr__(self) -> str:
        return (
            f"<Index {str(self.path)!r}: {len(self):,} candidates, {len(self.templates)} "
            f"templates, model {self.manifest.plan.model!r}>"
        )

    def __len__(self) -> int:
        """Number of candidate names, N."""
        return len(self._stored_names) + len(self.extra_names)

    def search(self, image_embeddings: ArrayLike, k: int = 1) -> tuple[Float32, Int64]:
        """The k most similar candidate names for each image, separately for each template.

        They are exact for the rows that the index stores, in float32 or a lower precision. A view
        made by `deciding_with` puts the float32 winner first; `certified_search` returns the
        float32 order of all k.

        Args:
            image_embeddings: float32 [M, D], unit rows.
            k: 1 to N.

        Returns:
            similarities float32 [T, M, k], descending, and name ids int64 [T, M, k], never -1;
            equal similarities are in ascending order of name id.

        Raises:
            InputError: k is out of range, or the embeddings are not [M, D] finite numbers.
            IdiaIndexError: an index type found fewer than k names.
        """
        queries = self._queries(image_embeddings, k)
        if self._backend is None or self.manifest.plan.exact:
            answer = self._answer(queries, k, None)
        else:
            answer = self._answer(queries, 1, self._backend)
            if k > 1:
                answer = first_replaced(self._answer(queries, k, None), answer)
        return answer.similarities, answer.name_ids

    def certified_search(
        self, image_embeddings: ArrayLike, k: int = 1, *, backend: Backend
    ) -> Answer:
        """As `search`, with the result that float32 rows would give, whatever the index stores.

        Where the measured error of the stored rows leaves several names possible, their prompts
        are encoded again.

        Args:
            image_embeddings: float32 [M, D], unit rows.
            k: 1 to N.
            backend: the model that the index was built with.

        Raises:
            InputError: as `search`, or the model is a different one, or the stored rows leave so
                many names possible that most of the index would have to be encoded again.
        """
        self.check_backend(backend)
        return self._answer(self._queries(image_embeddings, k), k, backend)

    def _queries(self, image_embeddings: ArrayLike, k: int) -> Float32:
        queries = np.ascontiguousarray(image_embeddings, np.float32)
        dim = self.manifest.plan.fingerprint.dim
        if queries.ndim != 2 or queries.shape[1] != dim:
            raise InputError(f"image embeddings are {queries.shape}, the index needs [M, {dim}]")
        if not np.isfinite(queries).all():
            raise InputError("image embeddings hold values that are not finite")
        lengths = np.linalg.norm(queries, axis=1)
        if (wrong := np.flatnonzero(abs(lengths - 1) > MOST - 1)).size:
            raise InputError(
                f"image embedding {wrong[0]} has length {lengths[wrong[0]]:.4g}, not 1: divide "
                "each row by its norm"
            )
        if not 1 <= k <= len(self):
            raise InputError(f"k is {k}, but must be from 1 to {len(self)}, the number of names")
        return queries

    def _answer(self, queries: Float32, k: int, backend: Backend | None) -> Answer:
        if not len(queries):
            return Answer.empty(len(self.templates), k)
        answer = self._strategy(k, backend).answer(queries, k)
        return replace(answer, name_ids=self._stored_names.name_ids(answer.name_ids))

    def _strategy(self, k: int, backend: Backend | None) -> Strategy:
        """The fastest strategy for k names; with the names of float32 if `backend` is given."""
        rows, templates = self._rows, range(len(self.templates))
        if not rows.scored:
            return ShardByShard(rows, templates)
        if backend is not None and not self.manifest.plan.exact:
            file = str(self.path / MANIFEST)
            encode = partial(self._encode, backend)
            return CertifiedScan(rows, templates, encode, file, spread=self._spread())
        if is_shorter(len(self), k):
            return Exhaustive(rows, templates)
        return Scan(rows, templates, spread=self._spread())

    def _spread(self) -> Spread | None:
        """The search of the shards on an engine's workers, if it has any."""
        if self._engine is None or not self._engine.apart:
            return None
        return SpreadSearch(self._engine, self._store, self.manifest, self._rows).proposals

    def _encode(self, backend: Backend, template: int, stored_ids: Int64) -> Float32:
        names = [self.name(i) for i in self._stored_names.name_ids(stored_ids).tolist()]
        return embeddings.encode_texts(backend, [self.templates[template].fill(n) for n in names])

    def nearest(self, template: int, rows: Float32, k: int) -> tuple[Float32, Int64]:
        """The k candidates of one template whose stored rows are most similar to the given rows.

        Args:
            template: its id.
            rows: float32 [n, D].
            k: 1 to N.

        Returns:
            similarities float32 [n, k], descending, and name ids int64 [n, k].
        """
        one = range(template, template + 1)
        way = Scan if self._rows.scored else ShardByShard
        found = way(self._rows, one).answer(rows, k)
        return found.similarities[0], self._stored_names.name_ids(found.name_ids[0])

    def stored_error(self, template: int) -> float:
        """The largest error of a stored row of a template."""
        return float(self._rows.errors()[template])

    def stored_rows(self, template: int, stored_ids: Int64) -> Float32:
        """Stored text embeddings float32 [n, D] of one template for stored ids int64 [n]."""
        return self._rows.of_template(template, stored_ids)

    def text_embeddings(self, template: int, name_ids: ArrayLike) -> Float32:
        """Text embeddings float32 [n, D], unit rows, of one template for n name ids.

        Raises:
            InputError: an id is out of range.
        """
        ids = np.asarray(name_ids, np.int64).reshape(-1)
        if not 0 <= template < len(self.templates):
            raise InputError(
                f"template {template}: template ids are 0 to {len(self.templates) - 1}"
            )
        if len(ids) and not 0 <= ids.min() <= ids.max() < len(self):
            raise InputError(f"name ids are 0 to {len(self) - 1}, not {ids.min()} to {ids.max()}")
        return self.stored_rows(template, self._stored_names.stored_ids(ids))

    def with_names(self, names: Sequence[str], text_embeddings: Float32) -> Index:
        """A view with more candidates, float32 [T, len(names), D]; nothing is written."""
        view = copy(self)
        view.extra_names = (*self.extra_names, *names)
        view._rows = self._rows.and_of(text_embeddings)
        return view

    def without(self, name_ids: ArrayLike) -> Index:
        """A view without some stored candidates, int64 [n], as if removed; nothing is written."""
        view = copy(self)
        view._stored_names = self._stored_names.without(np.asarray(name_ids, np.int64))
        view._rows = self._rows.among(view._stored_names)
        return view

    def deciding_with(self, backend: Backend) -> Index:
        """A view whose searches put the float32 winner first, whatever precision the index stores.

        They run on the engine of the model, if it has workers.

        Raises:
            InputError: the index was built with another model.
        """
        self.check_backend(backend)
        view = copy(self)
        view._backend, view._engine = backend, backend.engine
        return view

    def find(self, names: Iterable[str]) -> dict[str, int]:
        """Ids of the candidates that are the same names (see `names.name_key`).

        Returns a dict from each given name that was found to its id.

        Raises:
            InputError: `names` is a single string.
        """
        if isinstance(names, str):
            raise InputError(f"find takes a list of names: pass [{shown(names)}]")
        keys = {name: name_key(name) for name in names}
        found = self._stored_names.find(keys.values())
        for place, name in enumerate(self.extra_names, len(self._stored_names)):
            found.setdefault(name_key(name), place)
        return {name: found[key] for name, key in keys.items() if key in found}

    def check_backend(self, backend: Backend) -> None:
        """Raises ModelError, naming what differs, if the index was built with another model."""
        backend.recognise(self.manifest.plan.load_options)
        differences = self.manifest.plan.fingerprint.differences(backend.fingerprint)
        if differences:
            raise ModelError(
                f"{self.path}: built with another model than {backend.model!r} "
                f"({'; '.join(differences)}); use the model it was built with, or rebuild the index"
            )
