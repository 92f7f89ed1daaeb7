"""Subjects: the people under test, their images, and what is known of them."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import StringIO
from pathlib import Path

from idia_index.errors import InputError
from idia_index.images import IMAGE_SUFFIXES
from idia_index.names import clean_name, folder_to_name, name_key
from idia_index.textfiles import check_text, read_lines, shown, shown_path

MEMBER, NON_MEMBER = "member", "non_member"


@dataclass(frozen=True)
class Skipped:
    """A file that was left out, and why, in one line that names it."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Subject:
    """A person under test.

    Attributes:
        name: the name that the model may associate with the face.
        images: files of images of the person, in a fixed order.
        membership: "member", "non_member", or None where the truth is not known.
        training_count: training images of the person, None where not known.
        skipped: files of the person's folder that are no images.
    """

    name: str
    images: tuple[Path, ...]
    membership: str | None = None
    training_count: int | None = None
    skipped: tuple[Skipped, ...] = field(default=())


def read_subjects(path: str | os.PathLike[str]) -> list[Subject]:
    """Subjects of a folder with one folder of images per person, or of a CSV file.

    The CSV has columns `name` and `path` (an image or a folder of images, relative to the CSV),
    may have `membership` ("member", "non_member" or empty) and `training_count`, and may name a
    person on several lines.

    Raises:
        InputError: nothing there, nobody in it, a person without an image or given twice, or a
            line that does not fit.
    """
    place = Path(path)
    if place.is_dir():
        subjects = _from_folder(place)
    elif place.is_file():
        subjects = _from_csv(place)
    else:
        raise InputError(f"{shown_path(place)}: no such folder or CSV file of subjects")
    _check_distinct(subjects, place)
    return subjects


def make_subject(name: str, images: Iterable[str | os.PathLike[str]]) -> Subject:
    """One subject of given images or folders of images.

    Raises:
        InputError: the name is empty or not printable, or there is no image.
    """
    check_text(name, "name of the subject")
    if not clean_name(name):
        raise InputError("the name of the subject is empty: give the name to test")
    subject = Subject(clean_name(name), ())
    for image in images:
        subject = _with_images(subject, Path(image), "the command line")
    _check_images(subject, "the command line")
    return subject


def _from_folder(folder: Path) -> list[Subject]:
    people = sorted(entry for entry in folder.iterdir() if entry.is_dir())
    if not people:
        raise InputError(
            f"{shown_path(folder)}: holds no folders; "
            "make one folder of images per person, First_Last"
        )
    subjects = []
    for person in people:
        subject = _with_images(Subject(folder_to_name(person.name), ()), person, str(folder))
        _check_images(subject, shown_path(person))
        subjects.append(subject)
    return subjects


def _from_csv(file: Path) -> list[Subject]:
    lines = read_lines(file)
    # A quoted field may not run over lines: names and paths hold no line breaks.
    rows = csv.DictReader(StringIO("\n".join(lines.texts)), strict=True)
    where = shown_path(file)
    missing = {"name", "path"} - set(rows.fieldnames or ())
    if missing:
        raise InputError(
            f"{where}: has no column {' and no column '.join(sorted(missing))}; the first line "
            "names the columns: name,path[,membership][,training_count]"
        )
    subjects: dict[str, Subject] = {}
    try:
        for row in rows:
            line = f"{where}, line {lines.numbers[rows.line_num - 1]}"
            _add_row(subjects, row, file.parent, line)
    except csv.Error as error:
        raise InputError(f"{where}: not a CSV file ({error}); check its quotes") from error
    if not subjects:
        raise InputError(f"{where}: names nobody; write a line per person below the columns")
    for subject in subjects.values():
        _check_images(subject, where)
    return list(subjects.values())


def _add_row(
    subjects: dict[str, Subject], row: Mapping[str, str | None], base: Path, line: str
) -> None:
    name = clean_name(row["name"] or "")
    if not name or not row["path"]:
        raise InputError(f"{line}: a person needs a name and a path")
    told = Subject(name, (), _membership(row, line), _training_count(row, line))
    known = subjects.setdefault(name, told)
    if (known.membership, known.training_count) != (told.membership, told.training_count):
        raise InputError(
            f"{line}: {shown(name)} has another membership or training_count than on an earlier "
            "line; make them agree"
        )
    subjects[name] = _with_images(known, base / row["path"], line)


def _membership(row: Mapping[str, str | None], line: str) -> str | None:
    value = (row.get("membership") or "").strip()
    if value not in ("", MEMBER, NON_MEMBER):
        raise InputError(
            f"{line}: membership is {shown(value)}; write {MEMBER}, {NON_MEMBER} or nothing"
        )
    return value or None


def _training_count(row: Mapping[str, str | None], line: str) -> int | None:
    value = (row.get("training_count") or "").strip()
    if not value:
        return None
    if not (value.isascii() and value.isdigit() and len(value) < 16):
        raise InputError(f"{line}: training_count is {shown(value)}; write a whole number")
    return int(value)


def _with_images(subject: Subject, path: Path, place: str) -> Subject:
    if path.is_dir():
        files = _files_below(path)
        skipped = tuple(
            Skipped(file, f"{shown_path(file)}: its name has no suffix of an image format")
            for file in files
            if file.suffix.lower() not in IMAGE_SUFFIXES
        )
        images = tuple(file for file in files if file.suffix.lower() in IMAGE_SUFFIXES)
    elif path.exists():
        images, skipped = (path,), ()
    else:
        raise InputError(f"{place}: {shown_path(path)}: no such image or folder; check the path")
    return replace(subject, images=subject.images + images, skipped=subject.skipped + skipped)


def _files_below(folder: Path) -> list[Path]:
    """Files of a folder and its folders in the order of their names; links to folders are not
    followed, so that none leads in a circle."""
    found = []
    for here, folders, files in os.walk(folder):
        folders.sort()
        found += [Path(here, file) for file in sorted(files) if not file.startswith(".")]
    return found


def _check_images(subject: Subject, place: str) -> None:
    if not subject.images:
        raise InputError(f"{place}: {shown(subject.name)} has no image; give at least one")


def _check_distinct(subjects: Sequence[Subject], place: Path) -> None:
    seen: dict[str, str] = {}
    for subject in subjects:
        key = name_key(subject.name)
        if key in seen:
            raise InputError(
                f"{shown_path(place)}: {shown(subject.name)} and {shown(seen[key])} are the same "
                "name to the model; put them together or rename one"
            )
        seen[key] = subject.name
