"""Reads a table of subjects, with one row per image or folder of images of a person."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from idia_index.errors import InputError
from idia_index.prompts.name_order import given_first
from idia_index.prompts.name_table import (
    FIRST_NAMES,
    LAST_NAMES,
    NAMES,
    PERSONS,
    full_name,
    has_names,
)
from idia_index.prompts.names import clean_name
from idia_index.subjects.one_person import check_one_person
from idia_index.subjects.paths import find_path
from idia_index.subjects.person import Person
from idia_index.subjects.records import MEMBER, NON_MEMBER, Skipped, SkippedSubject, SubjectList
from idia_index.support.remote import Place, RemotePath, as_place
from idia_index.support.tables import Row, Table, read_table
from idia_index.support.text import counted, labelled, shown, shown_path

COLUMNS = {
    "name": NAMES,
    "path": (
        "paths", "file", "files", "filename", "file_name", "filepath", "file_path", "image",
        "images", "image_path", "image_file", "image_folder", "imagepath", "img", "img_path",
        "photo", "photos", "photo_path", "photo_file", "photo_folder", "picture", "folder",
        "directory", "dir",
        "datei", "pfad", "bild", "ordner", "fichier", "chemin", "dossier", "ruta", "archivo",
    ),
    "membership": (
        "member", "is_member", "truth", "status", "ground_truth", "in_training", "in_train",
        "in_training_data", "in_training_set", "trained_on", "mitglied", "membre", "miembro",
    ),
    "training_count": ("trainingcount", "train_count", "training_images", "count"),
    "person": PERSONS,
    "row": ("id",),
    "first_name": FIRST_NAMES,
    "last_name": LAST_NAMES,
}  # fmt: skip
_TOLD = "the first line names the columns: name,path[,membership][,training_count]"
# Programs' words for an empty cell; Na and Unknown may be someone's name.
_NOTHING = re.compile(r"nan|none|null|n/a|#[a-z/0]+[!?]?", re.I)
_UNTOLD = re.compile(rf"{_NOTHING.pattern}|na|\\n|[-?.\u2013\u2014]|unknown", re.I)
_TRUTHS = {
    **dict.fromkeys(("true", "yes", "1", "1.0", "ja", "wahr", "oui", "vrai", "s\u00ed"), MEMBER),
    **dict.fromkeys(("false", "no", "0", "0.0", "nein", "falsch", "non", "faux"), NON_MEMBER),
}

# (name, what distinguishes people of the same name)
_Key = tuple[str, str | None]


def people_of_table(file: Place) -> SubjectList:
    """The people of a table; lists those who cannot be used, with the reason.

    Raises:
        InputError: it is not a table of names and paths, or it is empty.
    """
    where = shown_path(file)
    bad: list[SkippedSubject] = []
    table = read_table(
        file, COLUMNS, lambda line, told: bad.append(SkippedSubject(f"line {line}", told))
    )
    if bad and not table.columns:
        raise InputError(bad[0].reason)
    _check_columns(table, where)
    rows = list(table.rows())
    reader = _Reader(file.parent, table, tells_people(rows, table.columns, file.parent))
    for row in rows:
        reader.read(row)
    if not rows and not bad:
        raise InputError(f"{where}: no people; write a line per person below the header")
    return reader.people(where, bad)


def _check_columns(table: Table, where: str) -> None:
    missing = [] if has_names(table.columns) else ["name"]
    missing += [] if "path" in table.columns else ["path"]
    first = next(iter(table.lines.texts), "")
    if first.startswith(("[", "{", "<")):
        raise InputError(
            f"{where}: is {'HTML or XML' if first[0] == '<' else 'JSON'}; pass a CSV: {_TOLD}"
        )
    if missing:
        raise InputError(
            f"{where}: has no column {' and no column '.join(missing)}, its first line is "
            f"{shown(first)}; {_TOLD}"
        )


class _Reader:
    """Collects people from rows."""

    def __init__(self, base: Place, table: Table, by: str) -> None:
        self._base = base
        self._table = table
        self._by = by  # the column that distinguishes people of the same name, "" for none
        self._persons: dict[_Key, Person] = {}
        self._problems: dict[_Key, str] = {}
        self._lost: list[SkippedSubject] = []
        self._turned: list[str] = []

    def read(self, row: Row) -> None:
        """Reads a row; an error in it affects only its person, not the table."""
        written = clean_name(full_name(row.cells, self._table.columns))
        if _NOTHING.fullmatch(written):
            written = ""
        name = given_first(written)
        if name != written:
            self._turned.append(f"{written!r} is {name!r}")
        if row.problem or not name:
            problem = row.problem or (
                f"{row.place}: a person needs a name and a path, on every line even where cells "
                "were merged"
            )
            self._lost.append(SkippedSubject(name or f"line {row.line}", problem))
            return
        key = (name, row.get(self._by) or None)
        try:
            self._add(key, row)
        except InputError as error:
            self._problems.setdefault(key, str(error))

    def _add(self, key: _Key, row: Row) -> None:
        told = Person(key[0], _membership(row), _training_count(row), key[1])
        known = self._persons.setdefault(key, told)
        if (known.membership, known.training_count) != (told.membership, told.training_count):
            raise InputError(
                f"{row.place}: {shown(key[0])} has another membership or training_count than on "
                "an earlier line; make them agree, or distinguish two people of the same name by a "
                "column person_id"
            )
        if not row.get("path"):
            raise InputError(f"{row.place}: a person needs a name and a path")
        path = find_path(self._base, row.get("path"))
        try:
            new = known.add(path, row.place)
        except InputError as error:
            # One of several photos may be gone; people with none left are listed.
            here = os.path.lexists(row.get("path"))
            reason = f"{error}{'; paths are relative to the table' * here}"
            known.skipped.append(Skipped(_absolute(path), reason))
            return
        if len(new) > 1:
            check_one_person(path, new)

    def people(self, where: str, bad: Sequence[SkippedSubject]) -> SubjectList:
        """Everyone who can be used, and everyone who cannot."""
        subjects, skipped = [], [*bad, *self._lost]
        for key in dict.fromkeys([*self._persons, *self._problems]):
            try:
                if key in self._problems:
                    raise InputError(self._problems[key])
                subjects.append(self._persons[key].subject(where))
            except InputError as error:
                skipped.append(SkippedSubject(key[0], str(error)))
        return SubjectList(tuple(subjects), tuple(skipped), self._notes(where))

    def _notes(self, where: str) -> tuple[str, ...]:
        notes = [] if self._table.is_plain else [self._table.note()]
        if self._turned:
            notes.append(
                f"{where}: {counted(len(self._turned), 'name')} written Last, First read as First "
                f"Last ({self._turned[0]})"
            )
        others = self._table.dialect.others
        if others and not self._table.columns & {"membership", "training_count"}:
            notes.append(
                f"{where}: has no column membership, so nobody is a known member or non-member; "
                f"not read: {', '.join(others)}"
            )
        homonyms = [name for name, person in self._persons if person is not None]
        if twice := sorted({name for name in homonyms if homonyms.count(name) > 1}):
            notes.append(f"{where}: different people of the same name: {', '.join(twice[:5])}")
        if against := [
            name for (name, _), person in self._persons.items()
            if person.membership and person.training_count is not None
            and (person.membership == MEMBER) != (person.training_count > 0)
        ]:  # fmt: skip
            named = ", ".join(map(shown, against[:3]))
            notes.append(
                f"{where}: membership and training_count contradict each other: {named}"
                f"{', ...' if len(against) > 3 else ''}; a {MEMBER} has 1 training image or "
                "more"
            )
        owner: dict[str, str] = {}
        for (name, _), person in self._persons.items():
            other = next((i for i in person.images if owner.setdefault(i, name) != name), None)
            if other is not None:
                notes.append(
                    f"{where}: {shown_path(person.images[other])} is listed for "
                    f"{shown(owner[other])} and for {shown(name)}; use a photo for one person only"
                )
        return tuple(notes)


def _absolute(path: Place) -> Place:
    return path if isinstance(path, RemotePath) else path.absolute()


def tells_people(rows: Sequence[Row], columns: frozenset[str], base: Place) -> str:
    """The column that distinguishes people of the same name.

    A column `id` may just number the rows: it distinguishes people if it repeats for a person, or
    if every row of a name is a whole folder.
    """
    if "person" in columns:
        return "person"
    ids = [row.get("row") for row in rows if row.get("row")]
    if "row" not in columns or not ids:
        return ""
    if len(set(ids)) < len(ids):
        return "row"
    folders = all(os.path.isdir(find_path(base, row.get("path"))) for row in rows)  # noqa: PTH112
    return "row" if folders else ""


def _membership(row: Row) -> str | None:
    written = _told(row, "membership").casefold()
    value = _TRUTHS.get(written, re.sub(r"(?:non|not a)[\s_-]*member", NON_MEMBER, written))
    if value not in ("", MEMBER, NON_MEMBER):
        raise InputError(
            f"{row.place}: membership is {shown(row.get('membership'))}; write {MEMBER}, "
            f"{NON_MEMBER} or nothing"
        )
    return value or None


def _told(row: Row, column: str) -> str:
    value = row.get(column)
    return "" if _UNTOLD.fullmatch(value) else value


def _training_count(row: Row) -> int | None:
    value = _told(row, "training_count")
    if not value:
        return None
    # pandas writes 75.0 if another row is empty; 1.000 may mean a thousand.
    if not (found := re.fullmatch(r"([0-9]{1,15})(?:\.0)?", value)):
        raise InputError(
            f"{row.place}: training_count is {shown(value)}; write an integer of 0 or more"
        )
    return int(found.group(1))


_COLUMN = "the column of groups"  # cannot clash with a column's name


def read_groups(path: Path, column: str) -> Mapping[str, str]:
    """The group of each person, by `labelled` name; people without one are omitted.

    Raises:
        InputError: the subjects are not a table, lack the column, or a person is in two groups.
    """
    where = shown_path(path)
    if path.is_dir():
        raise InputError(f"{where}: --group needs a table of subjects with a column {column!r}")
    # A column with another use, such as `membership`, may be used for groups as well.
    known = {name: others for name, others in COLUMNS.items() if name != column}
    known = {name: tuple(o for o in others if o != column) for name, others in known.items()}
    place = as_place(path)
    table = read_table(place, {**known, _COLUMN: (column.casefold().replace(" ", "_"),)})
    if _COLUMN not in table.columns:
        raise InputError(f"{where}: has no column {shown(column)}; name one for --group")
    groups: dict[str, str] = {}
    rows = list(table.rows())
    by = tells_people(rows, table.columns, place.parent)
    for row in rows:
        name = given_first(clean_name(full_name(row.cells, table.columns)))
        group = row.get(_COLUMN)
        if not name or not group:
            continue
        who = labelled(name, row.get(by) or None)
        if groups.setdefault(who, group) != group:
            raise InputError(
                f"{row.place}: {shown(who)} is in group {shown(group)}, but in "
                f"{shown(groups[who])} on an earlier line; make them agree"
            )
    return groups
