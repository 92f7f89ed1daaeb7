"""The one way that shards are written: by build, add, repair and compact alike."""

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
    """Adds up what is done, and passes it on."""

    def __init__(self, total: int, progress: CountProgress) -> None:
        self._done = 0
        self._total = total
        self._progress = progress

    def __call__(self, count: int) -> None:
        self._done += count
        self._progress(self._done, self._total)


@dataclass(frozen=True)
class Piece:
    """A shard, or more templates of one, to be written.

    Attributes:
        number: what its files are called by.
        names: of the shard.
        templates: those to encode.
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
        """How many there are."""
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
        """Writes them under a name of their own."""
        index_type = load_index_type(self.index_type)
        return self.store.write_rows(given.number, given.first_template, made, index_type)


@dataclass
class EncodeRows(WriteRows):
    """Encodes the prompts of pieces.

    Attributes:
        model: what encodes them.
        mark: of the build or change that this is for; a worker that does not find it in the
            index directory has no part in that, and sends back what it writes.
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
        """Writes them into the index directory, or elsewhere to send them there."""
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
    """Writes all pieces as shards but those that are noted.

    Raises:
        InputError: the disk is full, or cannot be written.
    """

    def keep(piece: Piece, written: WrittenRows) -> ShardEntry:
        return task.store.keep_shard(piece.number, piece.first, piece.names, written)

    return _write(task, pieces, task.store.notes.shards(), keep, counter, engine)


def write_parts(
    task: WriteRows, pieces: Iterable[Piece], counter: Counter, engine: Engine
) -> list[PartEntry]:
    """As `write_shards`, of pieces that are more templates of shards."""

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
        counter: told how many prompts are done.
        number: what the files of the first shard are called by.
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
    """Encodes and writes more templates of shards."""
    task = EncodeRows(store, index_type, WorkerModel(backend), store.mark())
    return write_parts(task, pieces, counter, engine_of(backend))


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
