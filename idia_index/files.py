"""Files that are there whole or not at all, for their owner only."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from idia_index.errors import IdiaIndexError, InputError

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
        with open(part, "wb", opener=private) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        publish(part, path)
    except OSError as error:
        raise unwritable(path, error) from error


def private(name: str, flags: int) -> int:
    """An opener for `open` that makes files their owner's only."""
    return os.open(name, flags, 0o600)


def publish(part: Path, path: Path) -> None:
    """Renames a finished file into place, and makes the rename last through a crash."""
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def unwritable(path: Path, error: OSError) -> IdiaIndexError:
    """The error of a file that could not be written, with the mend."""
    return InputError(
        f"{path}: cannot be written ({error.strerror or error}); free space or choose another place"
    )
