"""One writer at a time, and no state of an index cleaned away while somebody reads it.

Both are `flock` locks, which the kernel lets go of when a process dies. A reader holds the very
manifest that it read: a writer replaces the manifest by another file, and may remove what only
the old one needs once nobody holds the old one.

Windows has no `flock`, nor have some network file systems (NFS without lockd, some Lustre, FUSE
and CIFS mounts). There everything works but the protection, and a writer says so.
"""

from __future__ import annotations

import errno
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from idia_index.errors import InputError
from idia_index.support.files import private, regular, unwritable

_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


@contextmanager
def writer_lock(path: Path) -> Iterator[None]:
    """Holds the lock file at `path`; warns if there are no locks, and continues.

    Raises:
        InputError: another process holds it, or it cannot be made.
    """
    try:
        handle = _locked(path)
    except OSError as error:
        raise unwritable(path.parent, error) from error
    try:
        yield
    finally:
        os.close(handle)


def flock(handle: int, *, shared: bool = False, wait: bool = False) -> None:
    """Locks what is open, until it is closed.

    Raises:
        BlockingIOError: somebody else holds it, and `wait` is not given.
        OSError: it cannot be locked; see `has_no_locks`.
    """
    try:
        import fcntl  # not on Windows
    except ImportError:
        raise OSError(errno.ENOTSUP, "this system has no flock") from None
    how = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    fcntl.flock(handle, how if wait else how | fcntl.LOCK_NB)


def has_no_locks(error: OSError) -> bool:
    """Whether an error of `flock` says that the system or the file system has no locks."""
    return error.errno in _NO_LOCKS


def is_at(path: Path, handle: int) -> bool:
    """Whether what is open is what the path names now."""
    try:
        return os.path.samestat(os.fstat(handle), path.lstat())
    except FileNotFoundError:
        return False


def _locked(path: Path) -> int:
    while True:
        handle = private(os.fspath(path), os.O_RDWR | os.O_CREAT)
        try:
            _lock_or_warn(handle, path.parent)
            if is_at(path, handle):  # who held it may have removed it between the two calls
                return handle
        except BlockingIOError as error:
            os.close(handle)
            raise InputError(
                f"{path.parent}: another process is writing this index; wait until it is done"
            ) from error
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _lock_or_warn(handle: int, folder: Path) -> None:
    try:
        flock(handle)
    except OSError as error:
        if isinstance(error, BlockingIOError) or not has_no_locks(error):
            raise
        warnings.warn(
            f"{folder}: the file system has no locks ({error.strerror}), so nothing keeps two "
            "writers apart; run one command at a time on it",
            stacklevel=2,
        )


class Held:
    """A manifest file that is open and locked as somebody's who reads; `text` is what it says."""

    def __init__(self, path: Path, most: int) -> None:
        """Raises OSError or UnicodeDecodeError if it cannot be read, or has more bytes."""
        while True:
            self._handle = regular(os.fspath(path), os.O_RDONLY)
            try:
                lock(self._handle, shared=True, wait=True)
                # A writer may have replaced it between the two calls.
                if os.path.samestat(stat := os.fstat(self._handle), path.stat()):
                    if stat.st_size > most:
                        raise OSError(errno.EFBIG, f"{stat.st_size:,} bytes, more than {most:,}")
                    with os.fdopen(os.dup(self._handle), encoding="utf-8", newline="") as file:
                        self.text = file.read()
                    return
            except BaseException:
                os.close(self._handle)
                self._handle = -1
                raise
            os.close(self._handle)

    def close(self) -> None:
        """Lets go of it."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def __del__(self) -> None:
        if getattr(self, "_handle", -1) >= 0:
            self.close()


def lock(handle: int, *, shared: bool = False, wait: bool = False) -> bool:
    """Whether the lock was had; true as well on file systems that have none."""
    try:
        flock(handle, shared=shared, wait=wait)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def is_held(path: Path) -> bool:
    """Whether somebody reads this manifest file."""
    handle = regular(os.fspath(path), os.O_RDONLY)
    try:
        return not lock(handle)
    finally:
        os.close(handle)
