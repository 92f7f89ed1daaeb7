"""Files that are there whole or not at all, for their owner only."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
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
    """An opener for `open` that makes files their owner's only, and writes through no link."""
    return regular(name, flags)


def regular(name: str, flags: int) -> int:
    """An opener for `open` that takes nothing but regular files.

    A link would lead out of a directory, and a pipe would be waited at for ever.
    """
    try:
        handle = os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP and Path(name).is_symlink():
            raise OSError(errno.ELOOP, "a link, which is not followed", name) from error
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "not a regular file", name)
    return handle


def read_regular(path: Path, most: int) -> bytes:
    """A regular file's content; raises OSError for another sort of file or a longer one."""
    with open(path, "rb", opener=regular) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise OSError(errno.EFBIG, f"{size:,} bytes, more than {most:,}", str(path))
        return file.read(most)


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
