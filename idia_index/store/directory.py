"""The index directory: files of their owner only, whole or not there, one writer at a time."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from idia_index.encode.image_cache import ANSWERS
from idia_index.errors import DamagedIndexError, InputError
from idia_index.plugins import IndexType
from idia_index.store.manifest import BuildPlan, FileEntry, Manifest, PartEntry, ShardEntry
from idia_index.store.manifest_json import DAMAGED, MAX_BYTES, manifest_text, parse_manifest
from idia_index.store.pending import ShardNotes, check_size, is_shard_note, read_note
from idia_index.store.shards import stored_errors
from idia_index.support.documents import from_json, to_object
from idia_index.support.files import (
    private,
    private_folder,
    publish,
    sha256_file,
    sha256_of,
    to_read,
    unwritable,
    write_whole,
)
from idia_index.support.locks import Held, is_held, writer_lock
from idia_index.types import Float32

MANIFEST = "manifest.json"
PLAN = "build.json"
PENDING = "pending.json"
LOCK = "lock"
_NUMBERED = re.compile(r"\d{6,}\.")


@dataclass(frozen=True)
class WrittenRows:
    """Rows on disk that are no part of an index yet.

    Attributes:
        entry: the part that they become.
        file: what their file is called until then.
        data: what it holds, where it is in another directory than the index.
    """

    entry: PartEntry
    file: str
    data: bytes | None = None


class Store:
    """The files of one index directory.

    Attributes:
        path: the directory.
        notes: what is finished of a build or change that is not done.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes = ShardNotes(path)

    # -- what is there ---------------------------------------------------------------------

    def is_finished(self) -> bool:
        """Whether there is a manifest."""
        return (self.path / MANIFEST).is_file()

    def holds_other_files(self) -> bool:
        """Whether something is there that is no index and no begun build's.

        Raises:
            InputError: a file is where the directory should be.
        """
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"{self.path}: is a file; choose another directory")
        # All that a build leaves that was killed at its beginning.
        own = (LOCK, PLAN + ".part", ANSWERS)
        return self.path.is_dir() and any(file.name not in own for file in self.path.iterdir())

    def open_manifest(self) -> tuple[Manifest, Held]:
        """The manifest, its files' sizes checked, and what keeps them there while it is held.

        Raises:
            InputError: no index there, an unfinished one, or one that is damaged.
        """
        manifest, held = self.read_held()
        for entry in manifest.files():
            check_size(self.path, entry)
        return manifest, held

    def read_held(self) -> tuple[Manifest, Held]:
        """The manifest, its files not looked at; raises as `open_manifest` does."""
        if not self.path.is_dir():
            raise InputError(f"{self.path}: no such index; create one with: idia-index build")
        file = self.path / MANIFEST
        if not file.is_file():
            if (self.path / PLAN).is_file():
                raise InputError(
                    f"{self.path}: an unfinished index; "
                    "finish it with the same build command and --resume"
                )
            raise InputError(f"{self.path}: not an index (it has no {MANIFEST})")
        try:
            held = Held(file, MAX_BYTES)
        except (OSError, UnicodeDecodeError) as error:
            what = getattr(error, "strerror", None) or error
            told = to_read(error, "rebuild the index")
            raise DamagedIndexError(f"{file}: cannot be read ({what}); {told}") from error
        return parse_manifest(held.text, file), held

    def read_plan(self) -> BuildPlan | None:
        """The plan of a build, None where none was begun; raises InputError if damaged."""
        file = self.path / PLAN
        if not file.is_file():
            return None
        try:
            return from_json(BuildPlan, json.loads(read_note(file)))
        except DAMAGED as error:
            raise DamagedIndexError(
                f"{file}: damaged plan of a build ({error}); remove {self.path} and build again"
            ) from error

    # -- writing ---------------------------------------------------------------------------

    def create(self) -> list[Path]:
        """Makes the directory, for its owner only, and missing parents; returns those made.

        Raises InputError if it cannot be made.
        """
        try:
            return private_folder(self.path)
        except OSError as error:
            raise unwritable(self.path, error) from error

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Holds the directory against other writers; a process that dies lets go of it.

        Raises:
            InputError: another process is writing, or what is done while it is held fails for
                want of space or of rights.
        """
        try:
            with writer_lock(self.path / LOCK):
                yield
        except OSError as error:
            raise unwritable(Path(os.fsdecode(error.filename or self.path)), error) from error

    def write_plan(self, plan: BuildPlan) -> None:
        """Writes down what the build was asked for; what an earlier try did not keep goes."""
        for file in self.path.glob("*.part"):
            if _NUMBERED.match(file.name):
                file.unlink(missing_ok=True)
        write_whole(self.path / PLAN, json.dumps(to_object(plan), indent=1).encode())

    def mark(self) -> str | None:
        """What tells a build or change under way from any other; None where there is none."""
        for note in (PENDING, PLAN):
            if (self.path / note).is_file():
                return hashlib.sha256(read_note(self.path / note).encode()).hexdigest()
        return None

    def abandon(self, made: Sequence[Path]) -> None:
        """Removes what a build wrote that finished no shard, and the folders `made` for it.

        Call it while the directory is held: the lock goes with it.
        """
        for file in list(self.path.iterdir()):
            if file.name in (PLAN, PLAN + ".part") or _NUMBERED.match(file.name):
                file.unlink(missing_ok=True)
        (self.path / LOCK).unlink(missing_ok=True)
        with suppress(OSError):  # somebody else's file keeps the folders there
            for folder in made:
                folder.rmdir()

    def begin(self, operation: Mapping[str, Any]) -> None:
        """Writes down what an index is being changed to.

        What an earlier try of the very same change has finished is kept, that of others is
        removed.
        """
        file = self.path / PENDING
        asked = json.dumps(operation, indent=1, sort_keys=True)
        if not (file.is_file() and read_note(file) == asked):
            file.unlink(missing_ok=True)
            self.notes.clear()
            write_whole(file, asked.encode())
        self.collect()

    def write_file(self, name: str, data: bytes | memoryview) -> FileEntry:
        """Writes a file of the index whole; raises IdiaIndexError if it cannot."""
        write_whole(self.path / name, data)
        return FileEntry(name, len(data), hashlib.sha256(data).hexdigest())

    def write_shard(
        self, number: int, first: int, names: Sequence[str], rows: Float32, index_type: IndexType
    ) -> ShardEntry:
        """Writes one shard, float32 [T, n, D], and then the note that it is whole.

        Raises:
            IdiaIndexError: the disk is full, or the folder cannot be written to.
        """
        return self.keep_shard(number, first, names, self.write_rows(number, 0, rows, index_type))

    def keep_shard(
        self, number: int, first: int, names: Sequence[str], written: WrittenRows
    ) -> ShardEntry:
        """Makes rows that were written the shard of `names`, and notes that it is whole.

        Raises:
            IdiaIndexError: as `keep_part`.
        """
        text = ("\n".join(names) + "\n").encode()
        file = self.write_file(f"{number:06d}.names.txt", text)
        entry = ShardEntry(first, len(names), file, (self._keep(written),))
        self.notes.add_shard(number, entry)
        return entry

    def keep_part(self, number: int, written: WrittenRows) -> PartEntry:
        """Makes rows that were written more templates of a shard, and notes that they are whole.

        Raises:
            IdiaIndexError: the file is not what was written, or the folder cannot be written to.
        """
        part = self._keep(written)
        self.notes.add_part(number, part)
        return part

    def write_rows(
        self, number: int, first_template: int, rows: Float32, index_type: IndexType
    ) -> WrittenRows:
        """Writes float32 [t, n, D] to a file of its own name, which is nothing's until it is kept.

        Any number of processes may do so, on any machine that has the directory.

        Raises:
            IdiaIndexError: the disk is full, or the folder cannot be written to.
        """
        path = self.path / f"{number:06d}{index_type.suffix}"
        part = path.with_name(f"{path.name}.{secrets.token_hex(8)}.part")
        try:
            with open(part, "wb", opener=private):
                pass  # made here, so that it is its owner's only from the start
            index_type.write_shard(part, rows)
            with part.open("rb") as file:
                os.fsync(file.fileno())
                digest = sha256_of(file)
            errors = stored_errors(index_type, part, rows)
            entry = FileEntry(path.name, part.stat().st_size, digest)
        except OSError as error:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise unwritable(path, error) from error
        return WrittenRows(PartEntry(first_template, entry, errors), part.name)

    def _keep(self, written: WrittenRows) -> PartEntry:
        """Gives a file its name in the index, if it holds what its writer says."""
        entry = written.entry.file
        part, path = self.path / written.file, self.path / entry.file
        if written.data is not None:
            write_whole(part, written.data)
        try:
            if sha256_file(part) != entry.sha256:
                raise DamagedIndexError(
                    f"{part}: is not what was written; check the disk or the network file system"
                )
            publish(part, path)
        except OSError as error:
            raise unwritable(path, error) from error
        return written.entry

    def finish(self, manifest: Manifest) -> None:
        """Writes the manifest, which makes it what the index is, and removes what it was not.

        Files that only the state before needs stay while somebody reads that state.
        """
        file = self.path / MANIFEST
        text = manifest_text(manifest)
        data = text.encode()
        if len(data) > MAX_BYTES:
            raise InputError(
                f"{file}: would have {len(data):,} bytes, more than the {MAX_BYTES:,} that are "
                "read; make several indexes"
            )
        parse_manifest(text, file)  # what cannot be read would leave no index
        if file.is_file():
            digest = sha256_file(file)[:16]
            old = self.path / f"old-{digest}.json"
            old.unlink(missing_ok=True)
            os.link(file, old)
        write_whole(file, data)
        self.end()
        self.collect()

    def end(self) -> None:
        """Removes what was noted of a change that is done."""
        for note in (PLAN, PENDING):
            (self.path / note).unlink(missing_ok=True)
        self.notes.clear()

    def left_notes(self) -> bool:
        """Whether notes of a change are there, which may be going on."""
        return bool(self.notes) or any((self.path / note).exists() for note in (PLAN, PENDING))

    def tidy(self) -> bool:
        """Removes what a process left that was killed when its work was done; as `collect`.

        What is finished of a change that is not done yet stays.
        """
        named = {file.file for file in self.read_held()[0].files()}
        (self.path / PLAN).unlink(missing_ok=True)
        self.notes.drop_named(named)
        if not self.notes:
            (self.path / PENDING).unlink(missing_ok=True)
        return self.collect()

    def collect(self) -> bool:
        """Removes files that no state in use needs; whether none had to stay for a reader."""
        keep = {file.file for file in self.read_held()[0].files()}
        keep |= self.notes.named_files()
        free = True
        for old in self.path.glob("old-*.json"):
            if not is_held(old):
                old.unlink()
                continue
            free = False
            keep |= {file.file for file in parse_manifest(read_note(old), old).files()}
        for file in self.path.iterdir():
            ours = _NUMBERED.match(file.name) or file.name.endswith(".json.part")
            if ours and file.name not in keep and not is_shard_note(file.name):
                file.unlink(missing_ok=True)
        return free
