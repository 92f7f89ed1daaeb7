"""Makes the temporary folder of an export, and removes those left by killed processes.

The folder is locked while its process lives. A killed process cannot clean up, but its lock is
released: the next export in the same place removes unlocked folders.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from idia_index.backends.onnx_format import ALLOWED, MANIFEST
from idia_index.errors import InputError
from idia_index.support.files import FOLDER_FLAGS
from idia_index.support.locks import flock, is_at, lock

_PREFIX = ".idia-index-export-"
_NAME = re.compile(re.escape(_PREFIX) + r"[a-z0-9_]{8}")


@contextmanager
def unfinished(folder: Path) -> Iterator[Path]:
    """A new folder beside `folder`, removed at the end unless it was renamed.

    Raises:
        InputError: it cannot be created.
    """
    _remove_left(folder.parent)
    try:
        made, handle = _make(folder.parent)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be created ({error.strerror}); check that {folder.parent} exists "
            "and is writable"
        ) from error
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
        os.close(handle)


def _make(parent: Path) -> tuple[Path, int]:
    while True:
        made = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        try:
            made.chmod(0o755)
            handle = _opened(made)
        except FileNotFoundError:
            continue  # another process removed it before it was locked
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise
        if lock(handle) and is_at(made, handle):
            return made, handle
        os.close(handle)


def _remove_left(parent: Path) -> None:
    """Removes the folders of dead processes."""
    try:
        names = [name for name in os.listdir(parent) if _NAME.fullmatch(name)]  # noqa: PTH208
    except OSError:
        return  # creating the folder will report the error
    for path in (parent / name for name in names):
        try:
            handle = _opened(path)
        except OSError:
            continue  # not a folder, or not ours
        try:
            if _is_left(path, handle):
                shutil.rmtree(path, ignore_errors=True)
        finally:
            os.close(handle)


def _is_left(path: Path, handle: int) -> bool:
    """Whether an open folder was left by a dead export and holds nothing else."""
    try:
        # Not `lock`: without locks, dead and live processes cannot be distinguished.
        flock(handle)
        with os.scandir(handle) as entries:
            own = all(
                entry.name in (*ALLOWED, MANIFEST) and entry.is_file(follow_symlinks=False)
                for entry in entries
            )
    except OSError:
        return False
    return own and is_at(path, handle)


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDONLY | FOLDER_FLAGS)
