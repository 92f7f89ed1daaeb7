"""Files in object stores (`s3://`, `gs://`), which fsspec reads where it is installed."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Any, BinaryIO, TypeAlias

from idia_index.errors import InputError, MissingExtraError, RefusedError
from idia_index.support.files import cache_folder, private_folder, unwritable
from idia_index.support.offline import is_offline

PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "az": "adlfs", "memory": "fsspec"}
_URL = re.compile(rf"(?:{'|'.join(PACKAGES)}):/+[^/]")
_IN_SPEC = re.compile(rf"((?:[^/:]+/)?)((?:{'|'.join(PACKAGES)})://.+)", re.DOTALL)
_IN_MEMORY = 32 << 20  # bytes of a file; larger ones lie on disk, under no name
_READ = 1 << 20


class RemotePath(PurePosixPath):
    """A file or folder of an object store; its text is its URL."""

    __slots__ = ()

    def __str__(self) -> str:
        store, slash, rest = "/".join(self.parts).partition("/")
        return f"{store}/{slash}{rest}" if slash else store or "."

    def __fspath__(self) -> str:
        return str(self)

    @property
    def store(self) -> str:
        """The protocol, without its colon."""
        return self.parts[0].rstrip(":")


Place: TypeAlias = Path | RemotePath


@dataclass(frozen=True, order=True)
class Entry:
    """What lies in a folder of a store, as `os.scandir` says it of one that is here."""

    name: str
    folder: bool

    def is_dir(self) -> bool:
        """Whether it is a folder."""
        return self.folder

    def is_symlink(self) -> bool:
        """There are no links."""
        return False


def as_place(path: str | os.PathLike[str]) -> Place:
    """What was given on the command line: a URL, also as `Path` folds one, or a path here."""
    if isinstance(path, RemotePath):
        return path
    text = os.fspath(path)
    return RemotePath(text) if _URL.match(text) else Path(path)


def fsspec() -> Any:
    """The package that opens URLs; raises MissingExtraError."""
    try:
        import fsspec as package
    except ImportError as error:
        raise MissingExtraError("reading from URLs", "fsspec", "members") from error
    return package


def open_remote(path: RemotePath, most: int) -> BinaryIO:
    """A file of a store, fetched whole; raises OSError, also for more bytes than `most`."""
    with _asked(path) as system, system.open(str(path), "rb") as source:
        size = int(getattr(source, "size", None) or 0)
        if size > most:
            raise OSError(errno.EFBIG, f"{size:,} bytes, up to {most:,} are read")
        made: Any = TemporaryFile() if size > _IN_MEMORY else BytesIO()  # noqa: SIM115
        fetched: BinaryIO = made
        while block := source.read(min(_READ, most + 1 - fetched.tell())):
            fetched.write(block)
            if fetched.tell() > most:
                raise OSError(errno.EFBIG, f"more than {most:,} bytes")
    fetched.seek(0)
    return fetched


def files_at(path: RemotePath) -> list[RemotePath]:
    """The files below a folder of a store, or the one file; none where nothing is there.

    Raises:
        OSError: the store does not say.
    """
    with _asked(path) as system:
        found = system.find(str(path))
    return sorted(RemotePath(f"{path.store}://{each.lstrip('/')}") for each in found)


def walk(folder: RemotePath) -> dict[RemotePath, list[Entry]]:
    """What each folder below one holds, itself included; raises OSError."""
    held: dict[RemotePath, set[Entry]] = defaultdict(set)
    for file in files_at(folder):
        for place in (file, *file.parents):
            if place == folder or folder not in place.parents:
                break
            held[place.parent].add(Entry(place.name, place != file))
    return {place: sorted(entries) for place, entries in held.items()}


def url_of_spec(model: str) -> tuple[str, RemotePath] | None:
    """The URL that a SPEC ends in, and what stands before it: ARCH/, or nothing; None: it has none.

    ARCH/ and a URL is a checkpoint, a URL alone the folder of an export.
    """
    found = _IN_SPEC.fullmatch(model)
    return None if found is None else (found[1], RemotePath(found[2]))


def fetched_spec(model: str) -> str:
    """The SPEC of the same files here: those of a URL are kept in the user's cache folder.

    They are fetched where the store says that they are others than those that are kept.

    Raises:
        InputError: they cannot be fetched or kept.
    """
    if (found := url_of_spec(model)) is None:
        return model
    architecture, url = found
    try:
        files = files_at(url)
        if not files:
            raise InputError(f"model {model}: nothing is at {url}; check the address")
        kept = _models() / state_of(url, files)
        if not kept.exists():
            _fetch(url, files, kept)
    except OSError as error:
        raise InputError(
            f"model {model}: cannot be fetched ({error.strerror or error}); check the address"
        ) from error
    return f"{architecture}{kept / url.name}"


def state_of(url: RemotePath, files: list[RemotePath] | None = None) -> str:
    """What changes where the files at a URL do; raises OSError."""
    with _asked(url) as system:
        states = [(str(f), system.ukey(str(f))) for f in (files or files_at(url))]
    return hashlib.sha256(repr(states).encode()).hexdigest()


def _fetch(url: RemotePath, files: list[RemotePath], kept: Path) -> None:
    private_folder(kept.parent)
    with TemporaryDirectory(dir=kept.parent, prefix=".part-") as part:
        for file in files:
            inner = file.relative_to(url).parts
            if ".." in inner:
                raise OSError(errno.EINVAL, f"{file} leads out of its folder")
            target = Path(part, "all", url.name, *inner)
            private_folder(target.parent)
            with _asked(url) as system, system.open(str(file), "rb") as source:
                try:
                    with target.open("xb") as copy:
                        shutil.copyfileobj(source, copy, _READ)
                except OSError as error:
                    raise unwritable(target, error) from error
        if not kept.exists():  # another process may have been faster
            Path(part, "all").rename(kept)


def _models() -> Path:
    if (folder := cache_folder()) is None:
        raise InputError("there is no home folder to cache the model in; set XDG_CACHE_HOME")
    return folder / "models"


@contextmanager
def _asked(path: RemotePath) -> Iterator[Any]:
    """The store of a path; whatever its package raises becomes an OSError or an InputError."""
    store = path.store
    if is_offline() and store != "memory":
        raise RefusedError(
            f"offline: {path} would be fetched; omit --offline, or name a local copy"
        )
    try:
        system = fsspec().core.url_to_fs(str(path))[0]
    except (ImportError, MissingExtraError) as error:
        raise InputError(
            f"{path}: {store}:// is read with the package {PACKAGES[store]}, which is not "
            f"installed: pip install {PACKAGES[store]}"
        ) from error
    try:
        yield system
    except (OSError, InputError):
        raise
    except Exception as error:  # each store's package has errors of its own
        told = " ".join(str(error).split())[:200] or type(error).__name__
        raise OSError(errno.EIO, told) from error
