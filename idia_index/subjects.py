"""Subjects: the people under test, their images, and what is known of them."""

from __future__ import annotations

import csv
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from io import StringIO
from pathlib import Path

from idia_index.errors import InputError
from idia_index.images import IMAGE_SUFFIXES
from idia_index.names import clean_name, folder_to_name, name_key
from idia_index.textfiles import check_text, read_lines, shown, shown_path

MEMBER, NON_MEMBER = "member", "non_member"

_COLUMNS = ("name", "path", "membership", "training_count")
_REST = "\n"  # no column is called so: where cells past the last one go


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
    person on several lines. It may name files anywhere, `..` and links included: they are only
    read, and only as images.

    Raises:
        InputError: nothing there, nobody in it, a person without an image or given twice, or a
            line that does not fit.
    """
    place = Path(path)
    try:
        if not place.exists():
            raise InputError(f"{shown_path(place)}: no such folder or CSV file of subjects")
        subjects = _from_folder(place) if place.is_dir() else _from_csv(place)
    except OSError as error:
        raise InputError(
            f"{shown_path(place)}: cannot be read ({error.strerror}); check the path and its rights"
        ) from error
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
    people = sorted(
        entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")
    )
    if not people:
        raise InputError(
            f"{shown_path(folder)}: holds no folders; "
            "make one folder of images per person, First_Last"
        )
    subjects = []
    for person in people:
        if person.is_symlink() and folder.resolve().is_relative_to(person.resolve()):
            raise InputError(f"{shown_path(person)}: a link to a folder that it lies in; remove it")
        place = shown_path(folder)
        subject = _with_images(Subject(folder_to_name(person.name), ()), person, place)
        _check_images(subject, shown_path(person))
        subjects.append(subject)
    return subjects


def _from_csv(file: Path) -> list[Subject]:
    lines = read_lines(file)
    # A quoted field may not run over lines: names and paths hold no line breaks.
    rows = csv.DictReader(StringIO("\n".join(lines.texts)), restkey=_REST, strict=True)
    where = shown_path(file)
    subjects: dict[str, Subject] = {}
    try:
        _check_columns(rows.fieldnames or (), where)
        for row in rows:
            line = f"{where}, line {lines.numbers[rows.line_num - 1]}"
            if _REST in row:
                raise InputError(
                    f"{line}: has more cells than there are columns; quote what holds a comma"
                )
            _add_row(subjects, row, file.parent, line)
    except csv.Error as error:
        raise InputError(f"{where}: not a CSV file ({error}); check its quotes") from error
    if not subjects:
        raise InputError(f"{where}: names nobody; write a line per person below the columns")
    for subject in subjects.values():
        _check_images(subject, where)
    return list(subjects.values())


def _check_columns(columns: Sequence[str], where: str) -> None:
    told = "the first line names the columns: name,path[,membership][,training_count]"
    if missing := {"name", "path"} - set(columns):
        raise InputError(
            f"{where}: has no column {' and no column '.join(sorted(missing))}; {told}"
        )
    if double := {column for column in columns if columns.count(column) > 1}:
        raise InputError(f"{where}: has the column {shown(min(double))} twice; {told}")
    for column in columns:
        # Left aside as another column, it would take the truth with it.
        if column not in _COLUMNS and column.strip().lower().replace(" ", "_") in _COLUMNS:
            raise InputError(f"{where}: the column {shown(column)} is misspelt; {told}")


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
    try:
        kind = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(
            f"{place}: {shown_path(path)}: no such image or folder; check the path"
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"{place}: {shown_path(path)}: cannot be read ({reason}); check the path and its rights"
        ) from error
    if not stat.S_ISDIR(kind):
        return replace(subject, images=(*subject.images, path))
    files, skipped = _files_below(path)
    images = [file for file in files if file.suffix.lower() in IMAGE_SUFFIXES]
    skipped += [
        Skipped(file, f"{shown_path(file)}: its name has no suffix of an image format that is read")
        for file in files
        if file.suffix.lower() not in IMAGE_SUFFIXES
    ]
    return replace(subject, images=(*subject.images, *images), skipped=(*subject.skipped, *skipped))


def _files_below(folder: Path) -> tuple[list[Path], list[Skipped]]:
    """Files of a folder and its folders in the order of their names, and what was not looked at.

    Links to folders are not followed, so that none leads in a circle. What begins with a dot is
    the system's and belongs to no subject.
    """
    found: list[Path] = []
    skipped: list[Skipped] = []

    def closed(error: OSError) -> None:
        here = Path(error.filename)
        reason = f"{shown_path(here)}: the folder cannot be read ({error.strerror})"
        skipped.append(Skipped(here, reason))

    for here, folders, files in os.walk(folder, onerror=closed):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        links = [Path(here, name) for name in folders if Path(here, name).is_symlink()]
        skipped += [
            Skipped(link, f"{shown_path(link)}: a link to a folder, which is not followed")
            for link in links
        ]
        found += [Path(here, name) for name in sorted(files) if not name.startswith(".")]
    return found, skipped


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
