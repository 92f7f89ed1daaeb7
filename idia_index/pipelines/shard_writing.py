"""The one way that shards are written: by build, add, repair and compact alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from idia_index.encode import embeddings
from idia_index.encode.backend import Backend
from idia_index.errors import ServiceError
from idia_index.plugins import IndexType
from idia_index.prompts.grid import PromptGrid
from idia_index.prompts.names import name_key
from idia_index.store.directory import Store
from idia_index.store.manifest_json import LookupEntry, PartEntry, ShardEntry
from idia_index.store.name_lookup import KEY_BYTES, lookup_files
from idia_index.support.concurrency import one_behind
from idia_index.types import Float32

# (prompts done, prompts in all)
BuildProgress = Callable[[int, int], None]

Entry = TypeVar("Entry", ShardEntry, PartEntry)


def quiet(done: int, total: int) -> None:
    """Progress of a caller that wants none."""


class Counter:
    """Adds up what is done, and passes it on."""

    def __init__(self, total: int, progress: BuildProgress) -> None:
        self._done = 0
        self._total = total
        self._progress = progress

    def __call__(self, count: int) -> None:
        self._done += count
        self._progress(self._done, self._total)


@dataclass(frozen=True)
class Job(Generic[Entry]):
    """A shard, or a part of one, to be written.

    Attributes:
        number: what its files are called by.
        prompts: how many there are.
        rows: gives their text embeddings, float32 [T, n, D], and tells what it is called with of
            prompts that are done.
        write: writes these, and notes that they are whole.
    """

    number: int
    prompts: int
    rows: Callable[[Counter], Float32]
    write: Callable[[Float32], Entry]


def write_shards(
    jobs: Iterable[Job[Entry]], noted: Mapping[int, Entry], counter: Counter
) -> list[Entry]:
    """Does all jobs but those that are noted, each while the one before is written to disk.

    Raises:
        InputError: the disk is full, or cannot be written.
    """
    entries, numbers = dict(noted), []

    def write(job: Job[Entry], rows: Float32) -> None:
        entries[job.number] = job.write(rows)

    with one_behind() as later:
        for job in jobs:
            numbers.append(job.number)
            if job.number in entries:
                counter(job.prompts)
            else:
                later(partial(write, job, job.rows(counter)))
    return [entries[number] for number in numbers]


def new_shards(
    store: Store, index_type: IndexType, backend: Backend, grid: PromptGrid, size: int,
    number: int = 0, first: int = 0,
) -> Iterator[Job[ShardEntry]]:  # fmt: skip
    """Shards of the names of a grid, `size` names each.

    Args:
        store: the index directory.
        index_type: how they are stored.
        backend: the model.
        grid: the prompts.
        size: names of a full shard.
        number: what the files of the first shard are called by.
        first: stored id of its first name.
    """
    for place, run in enumerate(grid.runs(size), number):
        names = grid.names[run]
        yield Job(
            place,
            len(names) * len(grid.templates),
            partial(embeddings.encode_grid, backend, grid, run.start, run.stop),
            partial(store.write_shard, place, first + run.start, names, index_type=index_type),
        )


def new_part(
    store: Store, index_type: IndexType, backend: Backend, grid: PromptGrid, number: int,
    first_template: int,
) -> Job[PartEntry]:  # fmt: skip
    """The templates of a grid, from id `first_template` on, for the names of a shard."""
    return Job(
        number,
        len(grid),
        partial(embeddings.encode_grid, backend, grid, 0, len(grid.names)),
        partial(store.write_part, number, first_template, index_type=index_type),
    )


def announce(backend: Backend, grids: Iterable[PromptGrid]) -> None:
    """Tells a hosted backend of all texts that it will be asked for; raises what it refuses."""
    if backend.hosted:
        each = [(len(grid), grid.text_bytes()) for grid in grids]
        backend.announce(sum(count for count, _ in each), 0, sum(size for _, size in each))


def confirm(store: Store, backend: Backend) -> None:
    """Asks whether the model was one and the same until now; forgets what was written if not.

    Raises:
        ServiceError: it was not.
    """
    try:
        backend.confirm()
    except ServiceError:
        store.notes.clear()
        raise


def write_lookup(store: Store, number: int, first: int, names: Iterable[str]) -> LookupEntry:
    """Writes what finds the names of a run that begins with stored id `first`."""
    keys, sums = lookup_files(name_key(name) for name in names)
    return LookupEntry(
        first,
        len(keys) // KEY_BYTES,
        store.write_file(f"{number:06d}.keys", keys),
        store.write_file(f"{number:06d}.sums", sums),
    )
