"""Reads and writes an index directory: private files, written atomically, one writer at a time."""

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
    """Rows on disk that are not yet part of an index.

    Attributes:
        entry: the part that they become.
        file: their temporary file name.
        data: the file's content, if it is outside the index directory.
    """

    entry: PartEntry
    file: str
    data: bytes | None = None


class Store:
    """The files of one index directory.

    Attributes:
        path: the directory.
        notes: the finished parts of an unfinished build or change.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes = ShardNotes(path)

    # -- reading ---------------------------------------------------------------------------

    def is_finished(self) -> bool:
        """Whether there is a manifest."""
        return (self.path / MANIFEST).is_file()

    def holds_other_files(self) -> bool:
        """Whether it holds files that belong to neither an index nor an unfinished build.

        Raises:
            InputError: a file is where the directory should be.
        """
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"{self.path}: is a file; choose another directory")
        # Everything that a build leaves if it is killed at its start.
        own = (LOCK, PLAN + ".part", ANSWERS)
        return self.path.is_dir() and any(file.name not in own for file in self.path.iterdir())

    def open_manifest(self) -> tuple[Manifest, Held]:
        """The manifest, with file sizes checked, and the lock that keeps the files in place.

        Raises:
            InputError: no index, an unfinished one, or a damaged one.
        """
        manifest, held = self.read_held()
        for entry in manifest.files():
            check_size(self.path, entry)
        return manifest, held

    def read_held(self) -> tuple[Manifest, Held]:
        """The manifest without checking its files; raises as `open_manifest`."""
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
        """The plan of a build, None if none was started; raises InputError if damaged."""
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
        """Creates the directory, private, and missing parents; returns those created.

        Raises InputError if it cannot be created.
        """
        try:
            return private_folder(self.path)
        except OSError as error:
            raise unwritable(self.path, error) from error

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Locks the directory against other writers; the lock of a dead process is released.

        Raises:
            InputError: another process is writing, or the work under the lock fails for lack of
                space or permissions.
        """
        try:
            with writer_lock(self.path / LOCK):
                yield
        except OSError as error:
            raise unwritable(Path(os.fsdecode(error.filename or self.path)), error) from error

    def write_plan(self, plan: BuildPlan) -> None:
        """Records what a build was asked for; removes leftovers of an earlier attempt."""
        for file in self.path.glob("*.part"):
            if _NUMBERED.match(file.name):
                file.unlink(missing_ok=True)
        write_whole(self.path / PLAN, json.dumps(to_object(plan), indent=1).encode())

    def mark(self) -> str | None:
        """Identifies the build or change in progress; None if there is none."""
        for note in (PENDING, PLAN):
            if (self.path / note).is_file():
                return hashlib.sha256(read_note(self.path / note).encode()).hexdigest()
        return None

    def abandon(self, made: Sequence[Path]) -> None:
        """Removes the files of a build without a finished shard, and the folders `made` for it.

        Call it with the directory locked: the lock is removed too.
        """
        for file in list(self.path.iterdir()):
            if file.name in (PLAN, PLAN + ".part") or _NUMBERED.match(file.name):
                file.unlink(missing_ok=True)
        (self.path / LOCK).unlink(missing_ok=True)
        with suppress(OSError):  # other files keep the folders in place
            for folder in made:
                folder.rmdir()

    def begin(self, operation: Mapping[str, Any]) -> None:
        """Records what an index is being changed to.

        Finished parts of an earlier attempt at the same change are kept, those of others removed.
        """
        file = self.path / PENDING
        asked = json.dumps(operation, indent=1, sort_keys=True)
        if not (file.is_file() and read_note(file) == asked):
            file.unlink(missing_ok=True)
            self.notes.clear()
            write_whole(file, asked.encode())
        self.collect()

    def write_file(self, name: str, data: bytes | memoryview) -> FileEntry:
        """Writes a file of the index atomically; raises IdiaIndexError if that fails."""
        write_whole(self.path / name, data)
        return FileEntry(name, len(data), hashlib.sha256(data).hexdigest())

    def keep_shard(
        self, number: int, first: int, names: Sequence[str], written: WrittenRows
    ) -> ShardEntry:
        """Makes written rows the shard of `names`, and notes that it is complete.

        Raises:
            IdiaIndexError: as `keep_part`.
        """
        text = ("\n".join(names) + "\n").encode()
        file = self.write_file(f"{number:06d}.names.txt", text)
        entry = ShardEntry(first, len(names), file, (self._keep(written),))
        self.notes.add(number, entry)
        return entry

    def keep_part(self, number: int, written: WrittenRows) -> PartEntry:
        """Makes written rows further templates of a shard, and notes that they are complete.

        Raises:
            IdiaIndexError: the file was altered, or the folder is not writable.
        """
        part = self._keep(written)
        self.notes.add(number, part)
        return part

    def write_rows(
        self, number: int, first_template: int, rows: Float32, index_type: IndexType
    ) -> WrittenRows:
        """Writes float32 [t, n, D] to a new file that belongs to nothing until it is kept.

        Any number of processes may do so, on any machine that has the directory.

        Raises:
            IdiaIndexError: the disk is full, or the folder is not writable.
        """
        path = self.path / f"{number:06d}{index_type.suffix}"
        part = path.with_name(f"{path.name}.{secrets.token_hex(8)}.part")
        try:
            with open(part, "wb", opener=private):
                pass  # created here, so that it is private from the start
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
        """Gives a file its name in the index, if its content is as its writer stated."""
        entry = written.entry.file
        part, path = self.path / written.file, self.path / entry.file
        if written.data is not None:
            write_whole(part, written.data)
        try:
            if sha256_file(part) != entry.sha256:
                raise DamagedIndexError(
                    f"{part}: differs from what was written; check the disk or network file system"
                )
            publish(part, path)
        except OSError as error:
            raise unwritable(path, error) from error
        return written.entry

    def finish(self, manifest: Manifest) -> None:
        """Writes the manifest, which puts the new state into effect, and removes obsolete files.

        Files of the previous state stay while someone reads it.
        """
        file = self.path / MANIFEST
        text = manifest_text(manifest)
        data = text.encode()
        if len(data) > MAX_BYTES:
            raise InputError(
                f"{file}: would have {len(data):,} bytes, more than the maximum of {MAX_BYTES:,}; "
                "build several indexes"
            )
        parse_manifest(text, file)  # an unreadable manifest would destroy the index
        if file.is_file():
            digest = sha256_file(file)[:16]
            old = self.path / f"old-{digest}.json"
            old.unlink(missing_ok=True)
            os.link(file, old)
        write_whole(file, data)
        self.end()
        self.collect()

    def end(self) -> None:
        """Removes the notes of a finished change."""
        for note in (PLAN, PENDING):
            (self.path / note).unlink(missing_ok=True)
        self.notes.clear()

    def left_notes(self) -> bool:
        """Whether there are notes of a change, which may be in progress."""
        return bool(self.notes) or any((self.path / note).exists() for note in (PLAN, PENDING))

    def tidy(self) -> bool:
        """Removes what a process left that was killed after its work was done; as `collect`.

        Finished parts of an unfinished change stay.
        """
        named = {file.file for file in self.read_held()[0].files()}
        (self.path / PLAN).unlink(missing_ok=True)
        self.notes.drop_named(named)
        if not self.notes:
            (self.path / PENDING).unlink(missing_ok=True)
        return self.collect()

    def collect(self) -> bool:
        """Removes files that no state in use needs; returns whether none had to stay."""
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
