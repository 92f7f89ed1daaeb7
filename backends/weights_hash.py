"""Computes SHA-256 of weights files, cached between runs: hashing a gigabyte takes seconds."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from idia_index.errors import ModelError
from idia_index.support.files import cache_folder, sha256_file, to_read

MAX_ENTRIES = 1000


def cache_file() -> Path | None:
    """The file of cached hashes in the user's cache folder; None if there is none."""
    folder = cache_folder()
    return folder / "weights-sha256.json" if folder else None


def unreadable(path: Path, error: OSError) -> ModelError:
    """The error for a weights file that cannot be read."""
    told = to_read(error, "check the file")
    return ModelError(f"{path}: cannot be read ({error.strerror}); {told}")


def weights_sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal; from the cache if the file is unchanged.

    A file counts as unchanged while its path, size, inode, mtime and ctime (in nanoseconds) are
    the same. A damaged or unwritable cache only costs time.

    Raises:
        ModelError: the file cannot be read.
    """
    path = path.resolve()
    try:
        before = _stamp(path)
        entry = _read_cache().get(str(path))
        if isinstance(entry, dict) and entry.get("stamp") == before and _is_hash(entry["sha256"]):
            return str(entry["sha256"])
        digest = sha256_file(path)
        unchanged = _stamp(path) == before
    except OSError as error:
        raise unreadable(path, error) from error
    if unchanged:
        _remember(str(path), {"stamp": before, "sha256": digest})
    return digest


def _stamp(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef")


def _read_cache() -> dict[str, Any]:
    path = cache_file()
    if path is None:
        return {}
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _remember(key: str, entry: dict[str, object]) -> None:
    target = cache_file()
    if target is None:
        return
    # With two concurrent writers each replaces the whole file; at worst one hash is lost and
    # computed again.
    cache = _read_cache()
    cache.pop(key, None)
    cache[key] = entry
    newest = dict(list(cache.items())[-MAX_ENTRIES:])
    with contextlib.suppress(OSError):
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=target.name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(newest, file)
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
