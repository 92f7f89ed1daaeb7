"""Indexes of random unit rows, written as builds write them, for measuring searches.

Their prompts are `t<template> Name <id>`.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from idia_index import open_index
from idia_index.pipelines.build import SHARD_BYTES
from idia_index.pipelines.changing import library_versions
from idia_index.pipelines.shard_writing import write_lookup
from idia_index.plugins import BackendPlugin
from idia_index.registry import load_index_type
from idia_index.search.index import Index
from idia_index.store.directory import Store
from idia_index.store.manifest import BuildPlan, Manifest
from idia_index.types import Fingerprint, Float32


class RowsAgain(BackendPlugin):
    """Gives the rows that an index was made of, as a model would that encodes prompts again."""

    name = "none"
    model = "random unit rows"
    device = "cpu"

    def __init__(self, fingerprint: Fingerprint) -> None:
        self._fingerprint = fingerprint

    @property
    def fingerprint(self) -> Fingerprint:
        return self._fingerprint

    @abstractmethod
    def row(self, template: int, name: int) -> Float32:
        """The row float32 [D] of a prompt."""

    def embed_texts(self, texts: Sequence[str]) -> Float32:
        return np.stack([self.row(int(t[1:]), int(i)) for t, _, i in map(str.split, texts)])

    def embed_images(self, images: object) -> Float32:
        raise NotImplementedError  # image embeddings are drawn, too


class RowsInMemory(RowsAgain):
    """Of float32 [T, N, D]."""

    def __init__(self, rows: Float32, fingerprint: Fingerprint) -> None:
        super().__init__(fingerprint)
        self._rows = rows

    def row(self, template: int, name: int) -> Float32:
        found: Float32 = self._rows[template, name]
        return found


def random_fingerprint(dim: int) -> Fingerprint:
    """Of no model."""
    return Fingerprint("random", "0" * 64, "none", "none", "none", dim, "float32")


def unit_rows(random: np.random.Generator, *shape: int) -> Float32:
    """Random unit rows float32, the last axis of `shape` their length."""
    rows = random.standard_normal(shape, dtype=np.float32)
    rows /= np.linalg.norm(rows, axis=-1, keepdims=True)
    return rows


def shards(seed: int, shape: tuple[int, int, int], size: int) -> Iterator[tuple[int, Float32]]:
    """Float32 [T, n, D] of runs of at most `size` names, each with the id of its first."""
    t, n, dim = shape
    for first in range(0, n, size):
        random = np.random.default_rng([seed, first])
        yield first, unit_rows(random, t, min(size, n - first), dim)


def _unseen(first: int, rows: Float32) -> None:
    """Of a caller that does not look at the rows."""


def write_index(
    path: Path,
    index_type: str,
    seed: int,
    shape: tuple[int, int, int],
    seen: Callable[[int, Float32], None] = _unseen,
) -> Index:
    """Writes an index of T templates, N names `Name <i>` and D dimensions.

    `seen` is called with each shard's rows, float32 [T, n, D], and the id of its first.
    """
    t, n, dim = shape
    loaded, store = load_index_type(index_type), Store(path)
    size = max(1, SHARD_BYTES // (t * dim * 4))
    plan = BuildPlan(
        kind=index_type,
        exact=loaded.exact,
        backend="none",
        model="random unit rows",
        load_options={},
        fingerprint=random_fingerprint(dim),
        templates=tuple(f"t{i} {{0}}" for i in range(t)),
        shard_names=size,
        names_sha256="0" * 64,
        candidates=n,
        pool={"seed": seed},
    )
    names = [f"Name {i}" for i in range(n)]
    store.create()
    with store.writing():
        store.write_plan(plan)
        written = []
        for number, (first, rows) in enumerate(shards(seed, shape, size)):
            run = names[first : first + rows.shape[1]]
            made = store.write_rows(number, 0, rows, loaded)
            written.append(store.keep_shard(number, first, run, made))
            seen(first, rows)
        lookup = write_lookup(store, len(written), 0, names)
        store.finish(Manifest(plan, tuple(written), library_versions(), (lookup,)))
    return open_index(path)
