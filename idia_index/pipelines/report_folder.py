"""Checks that a report may be written into a folder without overwriting other files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from idia_index.encode.image_bytes import on_disk
from idia_index.errors import InputError, RefusedError
from idia_index.subjects.subjects import Subject
from idia_index.support.files import check_writable
from idia_index.support.text import shown, shown_path

CHOICES = "choices.json"
"""Written before the search, so it may be the only file there."""

FILES = (
    "report.json", "subjects.csv", "curves.csv", "people.csv", "index.html", "results.npz",
    "summary.md", "model_card.md", CHOICES,
)  # fmt: skip

_OURS = re.compile(
    rb'\s*\{\s*"format": "idia-index/'
    rb"(choices|evaluation|audit|study-results|photos|comparison|canary-audit)/"
)
_INDEX = re.compile(rb'\s*\{\s*"format": "idia-index/')
_HEAD = 100  # bytes that identify this program's files


def check_folder(
    folder: Path, subjects: Iterable[Subject] = (), source: Path | None = None
) -> bool:
    """Checks, before anything is computed, whether a report may be written into a folder.

    Args:
        folder: the report's folder.
        subjects: the people under test, whose photo folders must not be used.
        source: the folder that they are read from, if any; every folder in it is a person.

    Returns:
        whether an earlier report is there, which would be replaced.

    Raises:
        InputError: the folder is in an index, holds the subjects' photos, or holds files of other
            programs that a report would replace.
    """
    where = shown_path(folder)
    try:
        place = Path(os.path.realpath(folder))  # does not fail on cyclic links
        for above in (place, *place.parents):
            if _begins(above / "manifest.json", _INDEX):
                raise RefusedError(
                    f"{where}: is in the index or export {shown_path(above)}; "
                    "pass a separate folder with --out"
                )
        if source is not None and source.is_dir() and place.is_relative_to(source.resolve()):
            raise RefusedError(
                f"{where}: is in {shown_path(source)}, where every folder is a person with "
                "photos; pass a folder elsewhere with --out"
            )
        _check_photos(place, where, subjects)
        check_writable(place)
        if not folder.exists():
            return False
        if not folder.is_dir():
            raise InputError(f"{where}: is not a folder; pass another name with --out")
        return _check_content(folder, where)
    except OSError as error:
        raise InputError(
            f"{where}: cannot be read ({error.strerror}); pass another folder with --out"
        ) from error


def _check_photos(place: Path, where: str, subjects: Iterable[Subject]) -> None:
    holders = {
        image.parent: subject.name for subject in subjects for image in on_disk(subject.images)
    }
    for holder, name in holders.items():
        if holder.resolve() == place:
            raise RefusedError(
                f"{where}: holds photos of {shown(name)}; pass a separate folder with --out"
            )


def _check_content(folder: Path, where: str) -> bool:
    """Whether there is an earlier report; raises InputError if files are another program's."""
    if _begins(folder / FILES[0], _OURS):
        return True
    for file in FILES:
        if (folder / file).exists() and not _begins(folder / file, _OURS):
            raise RefusedError(
                f"{where}: holds {shown(file)}, which is not from a report of this program; "
                "pass a new folder with --out, or move it away"
            )
    return False


def _begins(file: Path, pattern: re.Pattern[bytes]) -> bool:
    if not file.is_file():
        return False
    with file.open("rb") as opened:
        return pattern.match(opened.read(_HEAD)) is not None
