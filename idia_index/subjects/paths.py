"""Resolves paths in tables to files on this disk."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from idia_index.errors import InputError
from idia_index.prompts.names import name_key
from idia_index.support.remote import Place, RemotePath
from idia_index.support.text import shown

_HINTS = (
    (
        re.compile(r"(?:^|/)(?:s3|gs|az):/"),
        "it is in an object store: put the table beside the photos and pass its URL as SUBJECTS",
    ),
    (re.compile(r"(?:^|/)file:/"), "write the path without file://"),
    (
        re.compile(r"(?:^|/)(?:[a-z][a-z0-9+.-]+:/|data:)"),
        "it is a URL: download it and name the file",
    ),
    (re.compile(r"(?:^|/)~"), "write the path in full, without ~"),
    (re.compile(r"[*?]"), "name the folder, or each file"),
    (re.compile(r"\$\w|\$\{|%\w+%"), "write the path in full, without variables"),
    (re.compile(r"%[0-9A-Fa-f]{2}"), "write the characters that %20 and the like stand for"),
    (
        re.compile(r"(?:^|/)[A-Za-z]:[\\/]|\\\\"),
        "it is a Windows path: write the path on this machine",
    ),
    (re.compile(r"(?:^|/)=\w+\("), "it is a formula: write the path itself"),
    (re.compile(r"(?:^|/)['\"`\u201c\u201e].*['\"`\u201c\u201d]$"), "write it without quotes"),
    (re.compile(r"[;|]"), "write a line for each file"),
)


def what_to_do(path: Place) -> str:
    """The fix for a path that does not exist."""
    text = os.fspath(path)
    return next((hint for sign, hint in _HINTS if sign.search(text)), "check the path")


def find_path(base: Place, text: str) -> Place:
    """The file or folder that a path in a table refers to, relative to `base`.

    A table in a store refers to files in the same bucket, by URL or relative to the table. If the

    path does not exist as written, either slash, Unicode composition and case are tried, since
    systems differ in them. If nothing is found, the path is returned as written.
    """
    if isinstance(base, RemotePath):
        return _at_url(base, text)
    written = base / text
    for candidate in _candidates(base, text):
        try:
            if os.path.lexists(candidate):
                return candidate
        except (OSError, ValueError):
            continue
    return written


def _at_url(base: RemotePath, text: str) -> RemotePath:
    place = RemotePath(text) if "://" in text else base / text
    if place.parts[:2] != base.parts[:2]:
        raise InputError(
            f"{shown(text)} is in another bucket than the table; move it there, or pass a table "
            "beside the photos"
        )
    return place


def _candidates(base: Path, text: str) -> Iterator[Path]:
    yield base / text
    spellings = [text] if "\\" not in text else [text, text.replace("\\", "/")]
    for spelling in spellings:
        for form in ("NFC", "NFD"):
            yield base / unicodedata.normalize(form, spelling)
        # Even in a locale other than UTF-8, file names are usually UTF-8.
        yield base / os.fsdecode(spelling.encode("utf-8", "surrogatepass"))
    for spelling in spellings:
        if (walked := _walked(base, spelling)) is not None:
            yield walked


def _walked(base: Path, text: str) -> Path | None:
    """The only path that matches, ignoring Unicode composition and case."""
    parts = Path(text).parts
    here = Path(parts[0]) if parts and Path(text).is_absolute() else base
    for part in parts[1:] if Path(text).is_absolute() else parts:
        if os.path.lexists(here / part):
            here = here / part
            continue
        try:
            names = [n for n in os.listdir(here) if name_key(n) == name_key(part)]  # noqa: PTH208
        except OSError:
            return None
        if len(names) != 1:
            return None
        here = here / names[0]
    return here
