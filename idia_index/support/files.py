"""Files that are there whole or not at all, for their owner only."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from idia_index.errors import IdiaIndexError, InputError, NoSpaceError

# What some systems lack: there, nothing but the precaution that a flag stands for is missing.
_NO_WAIT = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
FOLDER_FLAGS = _NO_LINK | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)
_READ = 1 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT)
NO_RIGHT = "you do not have permission to read it: chmod u+rX, or name a copy"


def local_path(text: str | os.PathLike[str]) -> Path:
    """The path that a text means, `~` being the home of whoever runs this."""
    try:
        return Path(text).expanduser()
    except RuntimeError:  # the home of nobody
        return Path(text)


def cache_folder() -> Path | None:
    """This program's folder in the user's cache; None where there is no home to put it in."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    root = base if base.is_absolute() else local_path("~/.cache")
    return root / "idia-index" if root.is_absolute() else None


def sha256_file(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal; raises OSError."""
    with open_regular(path) as file:
        return sha256_of(file)


def sha256_of(file: BinaryIO) -> str:
    """SHA-256 of what is left of an open file, in hexadecimal; raises OSError."""
    digest = hashlib.sha256()
    while block := file.read(_READ):
        digest.update(block)
    return digest.hexdigest()


def open_regular(path: Path) -> BinaryIO:
    """Opens a regular file for reading, and never waits, as opening a pipe would.

    Raises:
        OSError: it cannot be opened, or is a folder, pipe, socket or device.
    """
    # Asked before opening, since opening some devices has effects; and again of what was opened.
    _check_regular(path.stat())
    handle = os.open(path, os.O_RDONLY | _NO_WAIT)
    try:
        _check_regular(os.fstat(handle))
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def _check_regular(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        what = "a folder" if stat.S_ISDIR(found.st_mode) else "a pipe, socket or device"
        raise OSError(errno.EINVAL, f"it is {what}, not a file")


def write_whole(path: Path, data: bytes | memoryview) -> None:
    """Writes a file that is there whole or not at all, readable by its owner only.

    Raises:
        IdiaIndexError: the disk is full, or the folder cannot be written to.
    """
    part = path.with_name(path.name + ".part")
    try:
        part.unlink(missing_ok=True)  # a link that somebody left there would lead elsewhere
        with open(part, "xb", opener=private) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        publish(part, path)
    except OSError as error:
        with suppress(OSError):  # what there is of it takes the room that others lack
            part.unlink(missing_ok=True)
        raise unwritable(path, error) from error


def private(name: str, flags: int) -> int:
    """An opener for `open` that makes files their owner's only, whatever the umask.

    It writes through no link.
    """
    handle = regular(name, flags)
    if hasattr(os, "fchmod"):
        os.fchmod(handle, 0o600)
    return handle


def regular(name: str, flags: int) -> int:
    """An opener for `open` that takes nothing but regular files.

    A link would lead out of a directory, and a pipe would be waited at for ever.
    """
    try:
        handle = os.open(name, flags | _NO_LINK | _NO_WAIT, 0o600)
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


def private_folder(path: Path) -> list[Path]:
    """Makes a folder, and missing parents, for their owner only; an existing one is kept.

    Returns those that it made, the innermost first.

    Raises:
        OSError: it cannot be made.
    """
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    for missing in reversed(made):
        missing.mkdir(mode=0o700, exist_ok=True)
        missing.chmod(0o700)
    path.mkdir(exist_ok=True)  # raises where something else is in the way
    return made


def free_bytes(path: Path) -> int | None:
    """Bytes that a folder can grow to, which need not be there yet; None where nobody can say."""
    path = path.absolute()
    try:
        there = next(folder for folder in (path, *path.parents) if folder.exists())
        with os.scandir(there) as entries:
            own = sum(entry.stat().st_size for entry in entries) if there == path else 0
        disk = shutil.disk_usage(there)
        return disk.free + own if disk.total else None  # /proc and its like have no size
    except OSError:
        return None


def publish(part: Path, path: Path) -> None:
    """Renames a finished file into place, and makes the rename last through a crash."""
    part.replace(path)
    try:
        folder = os.open(path.parent, os.O_RDONLY)
    except PermissionError:  # Windows opens no folders
        return
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def to_read(error: object, remedy: str) -> str:
    """What to do about a file that could not be read: `remedy`, unless the right to is lacking."""
    return NO_RIGHT if isinstance(error, PermissionError) else remedy


def check_writable(path: Path) -> None:
    """Asks, before the work for it begins, whether a file or folder can be written.

    Raises:
        InputError: it, or the nearest folder above it that exists, cannot be written to.
        OSError: its name cannot be of a file, or links lead in a circle.
    """
    there = next(each for each in (path, *path.absolute().parents) if _exists(each))
    if there != path and not there.is_dir():
        raise unwritable(path, OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)))
    if not os.access(there, os.W_OK | os.X_OK if there.is_dir() else os.W_OK):
        raise unwritable(path, OSError(errno.EACCES, os.strerror(errno.EACCES)))


def _exists(path: Path) -> bool:
    # Path.exists hides other errors, some on every version of Python, all since 3.14.
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def unwritable(path: Path, error: OSError) -> IdiaIndexError:
    """The error of a file that could not be written, with the remedy."""
    said = f"{path}: cannot be written ({error.strerror or error})"
    if error.errno in _FULL:
        return NoSpaceError(f"{said}; free space or choose another place")
    return InputError(f"{said}; check the permissions, or choose another place")
