"""Subjects: the people under test, their images, and what is known of them."""

from __future__ import annotations

import csv
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from idia_index.encode.images import IMAGE_SUFFIXES
from idia_index.errors import InputError
from idia_index.prompts.names import clean_name, folder_to_name, name_key
from idia_index.subjects.one_person import check_one_person
from idia_index.support.csv_lines import table_rows
from idia_index.support.text import check_text, read_lines, shown, shown_path

MEMBER, NON_MEMBER = "member", "non_member"

_COLUMNS = ("name", "path", "membership", "training_count")


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


def make_subject(
    name: str, images: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]
) -> Subject:
    """One subject of given images or folders of images, or of one of these.

    Raises:
        InputError: the name is empty or not printable, there is no image, or a folder looks
            like one of several people.
    """
    check_text(name, "name of the subject")
    if not clean_name(name):
        raise InputError("the name of the subject is empty: give the name to test")
    person = _Person(clean_name(name))
    for image in [images] if isinstance(images, str | os.PathLike) else images:
        known = len(person.images)
        person.add(Path(image), "the command line")
        if len(person.images) > known + 1:
            check_one_person(Path(image), list(person.images.values())[known:])
    return person.subject("the command line")


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
    for entry in people:
        if entry.is_symlink() and folder.resolve().is_relative_to(entry.resolve()):
            raise InputError(f"{shown_path(entry)}: a link to a folder that it lies in; remove it")
        person = _Person(folder_to_name(entry.name))
        person.add(entry, shown_path(folder))
        subjects.append(person.subject(shown_path(entry)))
    return subjects


def _from_csv(file: Path) -> list[Subject]:
    rows = table_rows(read_lines(file))
    where = shown_path(file)
    people: dict[str, _Person] = {}
    try:
        _, columns = next(rows, (0, []))
        _check_columns(columns, where)
        for number, cells in rows:
            line = f"{where}, line {number}"
            if len(cells) > len(columns):
                raise InputError(
                    f"{line}: has more cells than there are columns; quote what holds a comma"
                )
            _add_row(people, dict(zip(columns, cells, strict=False)), file.parent, line)
    except csv.Error as error:
        raise InputError(f"{where}: not a CSV file ({error}); check its quotes") from error
    if not people:
        raise InputError(f"{where}: names nobody; write a line per person below the columns")
    return [person.subject(where) for person in people.values()]


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


def _add_row(people: dict[str, _Person], row: Mapping[str, str], base: Path, line: str) -> None:
    name, path = clean_name(row.get("name", "")), row.get("path", "")
    if not name or not path:
        raise InputError(f"{line}: a person needs a name and a path")
    told = _Person(name, _membership(row, line), _training_count(row, line))
    known = people.setdefault(name, told)
    if (known.membership, known.training_count) != (told.membership, told.training_count):
        raise InputError(
            f"{line}: {shown(name)} has another membership or training_count than on an earlier "
            "line; make them agree"
        )
    known.add(base / path, line)


def _membership(row: Mapping[str, str], line: str) -> str | None:
    value = row.get("membership", "").strip()
    if value not in ("", MEMBER, NON_MEMBER):
        raise InputError(
            f"{line}: membership is {shown(value)}; write {MEMBER}, {NON_MEMBER} or nothing"
        )
    return value or None


def _training_count(row: Mapping[str, str], line: str) -> int | None:
    value = row.get("training_count", "").strip()
    if not value:
        return None
    if not (value.isascii() and value.isdigit() and len(value) < 16):
        raise InputError(f"{line}: training_count is {shown(value)}; write a whole number")
    return int(value)


@dataclass
class _Person:
    """A subject while its images are being listed."""

    name: str
    membership: str | None = None
    training_count: int | None = None
    images: dict[str, Path] = field(default_factory=dict)  # by the path without links and `..`
    skipped: list[Skipped] = field(default_factory=list)

    def add(self, path: Path, place: str) -> None:
        """Adds an image or the images of a folder; `place` says where it is named."""
        path = path.absolute()  # reports are replayed from other folders, too
        if not _is_folder(path, place):
            self._add_image(path)
            return
        files, skipped = _files_below(path)
        self.skipped += skipped
        for file in files:
            if file.suffix.lower() in IMAGE_SUFFIXES:
                self._add_image(file)
            else:
                self._skip(file, "its name has no suffix of an image format that is read")

    def subject(self, place: str) -> Subject:
        """The subject; raises InputError if it has no image."""
        if not self.images:
            raise InputError(f"{place}: {shown(self.name)} has no image; give at least one")
        return Subject(
            self.name,
            tuple(self.images.values()),
            self.membership,
            self.training_count,
            tuple(self.skipped),
        )

    def _add_image(self, path: Path) -> None:
        first = self.images.setdefault(os.path.realpath(path), path)
        if first is path:
            return
        if first == path:
            self._skip(path, "was given twice and counts once")
        else:
            self._skip(path, f"is {shown_path(first)} by another path and counts once")

    def _skip(self, path: Path, reason: str) -> None:
        self.skipped.append(Skipped(path, f"{shown_path(path)}: {reason}"))


def _is_folder(path: Path, place: str) -> bool:
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(
            f"{place}: {shown_path(path)}: no such image or folder; check the path"
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"{place}: {shown_path(path)}: cannot be read ({reason}); check the path and its rights"
        ) from error


def _files_below(folder: Path) -> tuple[list[Path], list[Skipped]]:
    """Files of a folder and its folders in the order of their names, and what was not looked at.

    Links to folders are not followed, so that none leads in a circle. What begins with a dot is
    the system's and belongs to no subject.
    """
    found: list[Path] = []
    skipped: list[Skipped] = []
    waiting = [folder]
    while waiting:  # not os.walk: folders within folders would use up Python's stack
        here = waiting.pop()
        try:
            with os.scandir(here) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
        except OSError as error:
            reason = f"{shown_path(here)}: the folder cannot be read ({error.strerror})"
            skipped.append(Skipped(here, reason))
            continue
        folders = []
        for entry in entries:
            path = here / entry.name
            if entry.name.startswith("."):
                continue
            if not _is_dir(entry):
                found.append(path)
            elif entry.is_symlink():
                reason = f"{shown_path(path)}: a link to a folder, which is not followed"
                skipped.append(Skipped(path, reason))
            else:
                folders.append(path)
        waiting += reversed(folders)
    return found, skipped


def _is_dir(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle; opening it says so
        return False


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
