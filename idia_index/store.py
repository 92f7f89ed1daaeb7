"""The index directory: files of their owner only, whole or not there, one writer at a time."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from idia_index.errors import IdiaIndexError, InputError
from idia_index.manifest import (
    BuildPlan,
    FileEntry,
    Manifest,
    ShardEntry,
    manifest_text,
    parse_manifest,
    plan_from_json,
    plan_to_json,
    shard_from_json,
)
from idia_index.protocols import IndexKind
from idia_index.records import Float32

MANIFEST = "manifest.json"
PLAN = "build.json"
LOCK = "lock"
_READ = 1 << 20


def sha256_file(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal; raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_READ):
            digest.update(block)
    return digest.hexdigest()


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file that is there whole or not at all, readable by its owner only.

    Raises:
        IdiaIndexError: the disk is full, or the folder cannot be written to.
    """
    part = path.with_name(path.name + ".part")
    try:
        with open(part, "wb", opener=_private) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _publish(part, path)
    except OSError as error:
        raise _unwritable(path, error) from error


def _private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


def _publish(part: Path, path: Path) -> None:
    """Renames a finished file into place, and makes the rename last through a crash."""
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _unwritable(path: Path, error: OSError) -> IdiaIndexError:
    return InputError(
        f"{path}: cannot be written ({error.strerror or error}); free space or choose another place"
    )


class Store:
    """The files of one index directory."""

    def __init__(self, path: Path) -> None:
        self.path = path

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
            raise InputError(f"{self.path}: a file is there; choose another directory")
        return self.path.is_dir() and any(file.name != LOCK for file in self.path.iterdir())

    def read_manifest(self) -> Manifest:
        """The manifest, its shard files' sizes checked.

        Raises:
            InputError: no index there, an unfinished one, or one that is damaged.
        """
        if not self.path.is_dir():
            raise InputError(f"{self.path}: no such index; make it with: idia-index build")
        file = self.path / MANIFEST
        if not file.is_file():
            if (self.path / PLAN).is_file():
                raise InputError(
                    f"{self.path}: an unfinished index; "
                    "finish it with the same build command and --resume"
                )
            raise InputError(f"{self.path}: not an index (it has no {MANIFEST})")
        manifest = parse_manifest(_read_text(file), file)
        for shard in manifest.shards:
            self._check_size(shard.names)
            self._check_size(shard.embeddings)
        return manifest

    def _check_size(self, entry: FileEntry) -> None:
        path = self.path / entry.file
        if path.is_symlink() or not path.is_file():
            raise InputError(f"{path}: missing from the index; build it again")
        if path.stat().st_size != entry.bytes:
            raise InputError(
                f"{path}: has {path.stat().st_size} bytes, the manifest says {entry.bytes}; "
                "the file was cut or changed: build the index again"
            )

    def read_plan(self) -> BuildPlan | None:
        """The plan of a build, None where none was begun; raises InputError if damaged."""
        file = self.path / PLAN
        if not file.is_file():
            return None
        try:
            return plan_from_json(json.loads(_read_text(file)))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{file}: damaged plan of a build ({error}); remove {self.path} and build again"
            ) from error

    def finished_shards(self) -> dict[int, ShardEntry]:
        """Shards of an unfinished build that are whole on disk, by number."""
        done = {}
        for file in sorted(self.path.glob("*.shard.json")):
            try:
                entry = shard_from_json(json.loads(_read_text(file)))
                self._check_size(entry.embeddings)
                self._check_size(entry.names)
            except (InputError, KeyError, TypeError, ValueError):
                continue  # written again
            done[int(file.name.split(".")[0])] = entry
        return done

    # -- writing ---------------------------------------------------------------------------

    def create(self) -> None:
        """Makes the directory, for its owner only; raises InputError if it cannot be made."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(self.path, error) from error

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Holds the directory against other writers; a process that dies lets go of it.

        Raises:
            InputError: another process is writing.
        """
        try:
            handle = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise _unwritable(self.path / LOCK, error) from error
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise InputError(
                    f"{self.path}: another process is writing this index; wait until it is done"
                ) from error
            yield
        finally:
            os.close(handle)

    def write_plan(self, plan: BuildPlan) -> None:
        """Writes down what the build was asked for."""
        write_whole(self.path / PLAN, json.dumps(plan_to_json(plan), indent=1).encode())

    def write_shard(
        self, number: int, first: int, names: list[str], rows: Float32, kind: IndexKind
    ) -> ShardEntry:
        """Writes one shard, float32 [T, n, D], and then the note that it is whole.

        Raises:
            IdiaIndexError: the disk is full, or the folder cannot be written to.
        """
        stem = f"{number:06d}"
        names_file = self.path / f"{stem}.names.txt"
        data = ("\n".join(names) + "\n").encode()
        write_whole(names_file, data)
        path = self.path / f"{stem}{kind.suffix}"
        part = path.with_name(path.name + ".part")
        try:
            with open(part, "wb", opener=_private):
                pass  # made here, so that it is its owner's only from the start
            kind.write_shard(part, rows)
            with part.open("rb") as file:
                os.fsync(file.fileno())
            _publish(part, path)
        except OSError as error:
            raise _unwritable(path, error) from error
        entry = ShardEntry(
            first,
            len(names),
            FileEntry(names_file.name, len(data), hashlib.sha256(data).hexdigest()),
            FileEntry(path.name, path.stat().st_size, sha256_file(path)),
        )
        write_whole(self.path / f"{stem}.shard.json", json.dumps(asdict(entry)).encode())
        return entry

    def finish(self, manifest: Manifest) -> None:
        """Writes the manifest, which makes the index one, and removes the build's notes."""
        write_whole(self.path / MANIFEST, manifest_text(manifest).encode())
        for note in [*self.path.glob("*.shard.json"), self.path / PLAN]:
            note.unlink(missing_ok=True)


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read ({error})") from error
