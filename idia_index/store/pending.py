"""Notes of complete shards and parts on disk that are not yet in a manifest.

An interrupted build or change resumes from them.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from idia_index.errors import DamagedIndexError, InputError
from idia_index.store.manifest import FileEntry, PartEntry, ShardEntry, remedy
from idia_index.store.manifest_json import DAMAGED, MAX_BYTES
from idia_index.support.documents import from_json
from idia_index.support.files import NO_RIGHT, read_regular, write_whole

Entry = TypeVar("Entry", ShardEntry, PartEntry)

_SHARD, _PART = ".shard.json", ".part.json"


class ShardNotes:
    """The notes in one index directory, one file each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __bool__(self) -> bool:
        return bool(self._files())

    def shards(self) -> dict[int, ShardEntry]:
        """Noted shards whose files exist, by number; others must be written again."""
        return self._whole(_SHARD, ShardEntry)

    def parts(self) -> dict[int, PartEntry]:
        """Noted parts whose files exist, by number; others must be written again."""
        return self._whole(_PART, PartEntry)

    def named_files(self) -> set[str]:
        """The files of the noted shards and parts, by name."""
        return {file for files in self._named().values() for file in files}

    def add(self, number: int, entry: ShardEntry | PartEntry) -> None:
        """Notes a complete shard or part; raises IdiaIndexError if that cannot be written."""
        note = _name(number, _SHARD if isinstance(entry, ShardEntry) else _PART)
        write_whole(self._folder / note, json.dumps(asdict(entry)).encode())

    def drop_named(self, named: Collection[str]) -> None:
        """Removes the notes whose files are all among `named`, those of a manifest."""
        for note, files in self._named().items():
            if files <= set(named):
                (self._folder / note).unlink(missing_ok=True)

    def clear(self) -> None:
        """Removes all notes, but not the files that they name."""
        for note in self._files():
            note.unlink(missing_ok=True)

    def _named(self) -> dict[str, set[str]]:
        noted = ((_SHARD, self.shards()), (_PART, self.parts()))
        return {
            _name(number, suffix): {file.file for file in entry.files()}
            for suffix, entries in noted
            for number, entry in entries.items()
        }

    def _whole(self, suffix: str, kind: type[Entry]) -> dict[int, Entry]:
        done = {}
        for note in sorted(self._folder.glob("*" + suffix)):
            try:
                entry = from_json(kind, json.loads(read_note(note)))
                for file in entry.files():
                    check_size(self._folder, file)
                done[int(note.name.split(".")[0])] = entry
            except (InputError, *DAMAGED):
                continue
        return done

    def _files(self) -> list[Path]:
        return [file for file in self._folder.glob("*.json") if is_shard_note(file.name)]


def _name(number: int, suffix: str) -> str:
    return f"{number:06d}{suffix}"


def is_shard_note(name: str) -> bool:
    """Whether a file of this name is a note."""
    return name.endswith((_SHARD, _PART))


def check_size(folder: Path, entry: FileEntry) -> None:
    """Raises InputError if a file is missing, unreadable, or of another size than written."""
    path = folder / entry.file
    if path.is_symlink() or not path.is_file():
        raise DamagedIndexError(f"{path}: missing from the index; {remedy(entry.file)}")
    if path.stat().st_size != entry.bytes:
        raise DamagedIndexError(
            f"{path}: has {path.stat().st_size} bytes, the manifest says {entry.bytes}; "
            f"the file was truncated or changed; {remedy(entry.file)}"
        )
    if not os.access(path, os.R_OK):
        why = os.strerror(errno.EACCES)
        raise InputError(f"{path}: cannot be read ({why}); {NO_RIGHT}")


def read_note(path: Path) -> str:
    """The text of a file that a build or a change left; raises InputError if it is unreadable."""
    try:
        return read_regular(path, MAX_BYTES).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        what = getattr(error, "strerror", None) or error
        raise DamagedIndexError(f"{path}: cannot be read ({what}); remove it") from error
