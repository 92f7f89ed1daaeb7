"""Expands CAPTIONS arguments to files in a fixed order, with their formats."""

from __future__ import annotations

import glob
import gzip
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from idia_index.captions.records import Source
from idia_index.errors import InputError, MissingExtraError
from idia_index.support.files import open_regular
from idia_index.support.remote import fsspec
from idia_index.support.text import shown, shown_path

FORMATS = ("parquet", "tar", "samples", "tsv", "csv", "json", "jsonl", "text")
"""`samples` is a folder with KEY.txt or KEY.json files."""

_SUFFIXES = {
    ".parquet": "parquet", ".pq": "parquet", ".tar": "tar", ".tgz": "tar", ".tsv": "tsv",
    ".csv": "csv", ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".txt": "text",
}  # fmt: skip
_PACKED = (".gz", ".zst", ".zstd")
_IMAGES = (".jpg", ".jpeg", ".png", ".webp")


def expand(captions: Iterable[str], form: str | None) -> tuple[list[Source], list[str]]:
    """The sources of all arguments, each once, and notes on skipped files.

    Args:
        captions: files, folders, globs or URLs.
        form: one of `FORMATS` for all files; None detects it from the suffix.

    Raises:
        InputError: an argument matches nothing, or a file of unknown format.
    """
    found: dict[str, Source] = {}
    notes: list[str] = []
    for argument in captions:
        sources = list(_remote(argument, form) if "://" in argument else _local(argument, form))
        if not sources:
            raise InputError(
                f"{shown_path(argument)}: holds no caption files; "
                "pass files with a known suffix, or --format"
            )
        for source in sources:
            found.setdefault(source.place, source)
    return _once_read(list(found.values()), notes), notes


def suffix_format(place: str) -> str | None:
    """The format of a file by its suffix; None if unknown."""
    name = place.rsplit("/", 1)[-1].lower()
    for packed in _PACKED:
        name = name.removesuffix(packed)
    return _SUFFIXES.get("." + name.rsplit(".", 1)[-1]) if "." in name else None


def open_source(place: str) -> BinaryIO:
    """Opens a file or URL for reading, decompressed; raises OSError or decompression errors."""
    if "://" in place:
        file: Any = fsspec().open(place, "rb").open()
    else:
        file = open_regular(Path(place))
    name = place.lower()
    if name.endswith((".gz", ".tgz")):
        opened: Any = gzip.open(file, "rb")  # noqa: SIM115 (the caller closes it)
        return opened  # type: ignore[no-any-return]
    if name.endswith((".zst", ".zstd")):
        try:
            import zstandard
        except ImportError as error:
            raise MissingExtraError("reading .zst files", "zstandard", "members") from error
        unpacked: BinaryIO = zstandard.ZstdDecompressor().stream_reader(
            file, read_across_frames=True
        )
        return unpacked
    return file  # type: ignore[no-any-return]


def _local(argument: str, form: str | None) -> Iterator[Source]:
    path = Path(argument)
    try:
        if path.is_dir():
            yield from _folder(path, form)
        elif path.exists():
            yield _file(argument, form)
        elif glob.has_magic(argument):
            for place in sorted(glob.glob(argument, recursive=True)):  # noqa: PTH207 (it may be absolute)
                if Path(place).is_dir():
                    yield from _folder(Path(place), form)
                else:
                    yield _file(place, form)
        else:
            raise InputError(f"{shown_path(argument)}: no such file or folder; check the path")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"{shown_path(argument)}: cannot be read ({reason}); check the path and its permissions"
        ) from error


def _folder(folder: Path, form: str | None) -> Iterator[Source]:
    """Files below a folder, by name, except those without a table's suffix, such as images."""
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        names = sorted(name for name in names if not name.startswith("."))
        if form == "samples" or (form is None and _of_samples(names)):
            found = Path(here).stat()
            yield Source(here, "samples", len(names), found.st_mtime_ns)
            continue
        for name in names:
            if name.endswith("_stats.json") or (form is None and suffix_format(name) is None):
                continue  # img2dataset's own notes
            yield _file(str(Path(here) / name), form)


def _of_samples(names: list[str]) -> bool:
    """Whether a folder holds one sample per stem: an image and its caption."""
    stems = {name.rsplit(".", 1)[0] for name in names if name.lower().endswith(_IMAGES)}
    there = set(names)
    return any(f"{stem}.txt" in there or f"{stem}.json" in there for stem in stems)


def _file(place: str, form: str | None) -> Source:
    known = form or suffix_format(place)
    if known is None:
        raise InputError(
            f"{shown_path(place)}: unknown suffix; pass --format, one of {', '.join(FORMATS)}"
        )
    found = Path(place).stat()
    return Source(place, known, found.st_size, found.st_mtime_ns)


def _remote(argument: str, form: str | None) -> Iterator[Source]:
    try:
        system, path = fsspec().core.url_to_fs(argument)
        if glob.has_magic(path):
            paths = sorted(system.glob(path))
        elif system.isdir(path):
            paths = sorted(system.find(path))
        else:
            paths = [path]
        protocol = argument.split("://", 1)[0]
        for each in paths:
            url = each if "://" in each else f"{protocol}://{each.lstrip('/')}"
            if protocol == "file":
                url = f"file://{each}"
            known = form or suffix_format(each)
            if known is None and len(paths) > 1:
                continue
            if known is None:
                raise InputError(f"{shown(argument)}: unknown suffix; pass --format")
            yield Source(url, known, int(system.size(each) or 0))
    except (OSError, ValueError, ImportError) as error:
        raise InputError(
            f"{shown(argument)}: cannot be opened ({type(error).__name__}: {error}); check the URL "
            "and that fsspec's package for it is installed"
        ) from error


def _once_read(sources: list[Source], notes: list[str]) -> list[Source]:
    """Drops img2dataset's tars and folders if a parquet file beside them lists their records."""
    tables = {
        source.place.removesuffix(".parquet") for source in sources if source.format == "parquet"
    }
    kept = []
    for source in sources:
        stem = source.place.removesuffix(".tar")
        if source.format in ("tar", "samples") and stem in tables:
            notes.append(
                f"{shown_path(source.place)}: not read; the parquet file beside it lists its "
                "records"
            )
        else:
            kept.append(source)
    return kept
