"""Writes shards, for build, add, repair and compact alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

from idia_index.encode import embeddings
from idia_index.encode.backend import Backend
from idia_index.errors import ServiceError
from idia_index.plugins import Engine, Task
from idia_index.plugins.engine import Tell
from idia_index.prompts.grid import PromptGrid
from idia_index.prompts.names import name_key
from idia_index.prompts.templates import Template
from idia_index.registry import engine_of, load_index_type
from idia_index.store.directory import Store, WrittenRows
from idia_index.store.manifest import LookupEntry, PartEntry, ShardEntry
from idia_index.store.name_lookup import KEY_BYTES, lookup_files
from idia_index.support.text import counted, shown
from idia_index.types import CountProgress, Float32
from idia_index.worker_model import WorkerModel

Entry = TypeVar("Entry", ShardEntry, PartEntry)


class Counter:
    """Adds up progress and reports the total."""

    def __init__(self, total: int, progress: CountProgress) -> None:
        self._done = 0
        self._total = total
        self._progress = progress

    def __call__(self, count: int) -> None:
        self._done += count
        self._progress(self._done, self._total)


@dataclass(frozen=True)
class Piece:
    """A shard to write, or further templates of one.

    Attributes:
        number: the number in its file names.
        names: the shard's names.
        templates: the templates to encode.
        first: stored id of the first name.
        first_template: id of the first template.
    """

    number: int
    names: Sequence[str]
    templates: Sequence[Template]
    first: int = 0
    first_template: int = 0

    def __str__(self) -> str:
        ends = f"{shown(self.names[0])} to {shown(self.names[-1])}"
        return f"{counted(len(self.names), 'name')}, {ends} (files {self.number:06d})"

    @property
    def prompts(self) -> int:
        """Number of prompts."""
        return len(self.names) * len(self.templates)


@dataclass
class WriteRows(Task[Piece, Float32, WrittenRows]):
    """Writes the rows of pieces, float32 [T, n, D], which a subclass computes.

    Attributes:
        store: the index directory.
        index_type: how rows are stored.
    """

    store: Store
    index_type: str

    def finish(self, given: Piece, made: Float32) -> WrittenRows:
        """Writes them to a temporary file."""
        index_type = load_index_type(self.index_type)
        return self.store.write_rows(given.number, given.first_template, made, index_type)


@dataclass
class EncodeRows(WriteRows):
    """Encodes the prompts of pieces.

    Attributes:
        model: the model.
        mark: identifies the build or change; a worker that does not find it in the index
            directory does not share that directory, and sends back what it writes.
    """

    model: WorkerModel
    mark: str | None
    _shared: bool = field(default=True, init=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "store": Store(self.store.path.absolute())}

    def setup(self) -> None:
        """Loads the model if it is not yet loaded."""
        load_index_type(self.index_type)
        self.model.load()
        self._shared = self.store.mark() == self.mark

    def compute(self, given: Piece, tell: Tell) -> Float32:
        """The text embeddings."""
        grid = PromptGrid(given.templates, given.names)
        return embeddings.encode_grid(self.model.backend, grid, 0, len(grid.names), tell)

    def finish(self, given: Piece, made: Float32) -> WrittenRows:
        """Writes them into the index directory, or elsewhere to be sent there."""
        if self._shared:
            return super().finish(given, made)
        with TemporaryDirectory() as folder:
            index_type = load_index_type(self.index_type)
            elsewhere = Store(Path(folder))
            written = elsewhere.write_rows(given.number, given.first_template, made, index_type)
            return replace(written, data=(Path(folder) / written.file).read_bytes())


def write_shards(
    task: WriteRows, pieces: Iterable[Piece], counter: Counter, engine: Engine
) -> list[ShardEntry]:
    """Writes all pieces as shards, except those already noted.

    Raises:
        InputError: the disk is full or not writable.
    """

    def keep(piece: Piece, written: WrittenRows) -> ShardEntry:
        return task.store.keep_shard(piece.number, piece.first, piece.names, written)

    return _write(task, pieces, task.store.notes.shards(), keep, counter, engine)


def write_parts(
    task: WriteRows, pieces: Iterable[Piece], counter: Counter, engine: Engine
) -> list[PartEntry]:
    """As `write_shards`, for pieces that are further templates of shards."""

    def keep(piece: Piece, written: WrittenRows) -> PartEntry:
        return task.store.keep_part(piece.number, written)

    return _write(task, pieces, task.store.notes.parts(), keep, counter, engine)


def _write(
    task: WriteRows,
    pieces: Iterable[Piece],
    noted: Mapping[int, Entry],
    keep: Callable[[Piece, WrittenRows], Entry],
    counter: Counter,
    engine: Engine,
) -> list[Entry]:
    entries, numbers = dict(noted), []

    def missing() -> Iterator[Piece]:
        for piece in pieces:
            numbers.append(piece.number)
            if piece.number in entries:
                counter(piece.prompts)
            else:
                yield piece

    def collect(piece: Piece, written: WrittenRows) -> None:
        entries[piece.number] = keep(piece, written)

    engine.run(task, missing(), collect, counter)
    return [entries[number] for number in numbers]


def new_shards(
    backend: Backend, store: Store, index_type: str, grid: PromptGrid, size: int, counter: Counter,
    number: int = 0, first: int = 0,
) -> list[ShardEntry]:  # fmt: skip
    """Encodes and writes shards of the names of a grid, `size` names each.

    Args:
        store: the index directory.
        index_type: how they are stored.
        grid: the prompts.
        size: names of a full shard.
        counter: counts the prompts done.
        number: file number of the first shard.
        first: stored id of its first name.
    """
    pieces = (
        Piece(place, grid.names[run], grid.templates, first + run.start)
        for place, run in enumerate(grid.runs(size), number)
    )
    task = EncodeRows(store, index_type, WorkerModel(backend), store.mark())
    return write_shards(task, pieces, counter, engine_of(backend))


def new_parts(
    backend: Backend, store: Store, index_type: str, pieces: Iterable[Piece], counter: Counter
) -> list[PartEntry]:
    """Encodes and writes further templates of shards."""
    task = EncodeRows(store, index_type, WorkerModel(backend), store.mark())
    return write_parts(task, pieces, counter, engine_of(backend))


def announce(backend: Backend, grids: Iterable[PromptGrid]) -> None:
    """Announces all texts to a hosted backend; raises its refusal."""
    if backend.hosted:
        each = [(len(grid), grid.text_bytes()) for grid in grids]
        backend.announce(sum(count for count, _ in each), 0, sum(size for _, size in each))


def confirm(store: Store, backend: Backend) -> None:
    """Confirms that the model has not changed so far; otherwise discards what was written.

    Raises:
        ServiceError: it has changed.
    """
    try:
        backend.confirm()
    except ServiceError:
        store.notes.clear()
        raise


def write_lookup(store: Store, number: int, first: int, names: Iterable[str]) -> LookupEntry:
    """Writes the lookup of a run of names that starts at stored id `first`."""
    keys, sums = lookup_files(name_key(name) for name in names)
    return LookupEntry(
        first,
        len(keys) // KEY_BYTES,
        store.write_file(f"{number:06d}.keys", keys),
        store.write_file(f"{number:06d}.sums", sums),
    )
