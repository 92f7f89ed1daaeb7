"""Matches a list of people to subjects, several of whom may have the same name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from idia_index.errors import InputError
from idia_index.prompts.name_order import given_first
from idia_index.prompts.name_table import NAME_COLUMNS, PERSONS, full_name, has_names
from idia_index.prompts.names import clean_name, name_key, read_names
from idia_index.subjects.records import Identity, Subject
from idia_index.support.tables import read_table
from idia_index.support.text import labelled, shown, shown_path


def listed_people(path: Path, subjects: Sequence[Subject]) -> dict[Identity, str]:
    """The subjects that a list of names refers to, as the list writes them.

    The list has one name per line, or is a table of names with an optional column `person_id`.

    Raises:
        InputError: it has an unusable line, a name that is not a subject's, or an ambiguous name.
    """
    known: dict[str, list[str | None]] = defaultdict(list)
    for subject in subjects:
        known[name_key(subject.name)].append(subject.person)
    found: dict[Identity, str] = {}
    for name, person in _entries(path):
        persons = known.get(name_key(name), [])
        if not persons or (person is not None and person not in persons):
            raise InputError(
                f"{shown_path(path)}: {shown(labelled(name, person))} is not among SUBJECTS; add "
                "photos of everyone it names"
            )
        if person is None and len(persons) > 1:
            raise InputError(
                f"{shown_path(path)}: {shown(name)} is the name of {len(persons)} people in "
                f"SUBJECTS ({', '.join(map(str, persons))}); tell them apart in a table with "
                "columns name,person_id"
            )
        found[name_key(name), persons[0] if person is None else person] = labelled(name, person)
    return found


def _entries(path: Path) -> Iterator[tuple[str, str | None]]:
    """Names, with the `person_id` if the list has it."""
    table = read_table(path, {**NAME_COLUMNS, "person": PERSONS})
    if "person" in table.columns and has_names(table.columns):
        for row in table.rows():
            name = given_first(clean_name(full_name(row.cells, table.columns)))
            if row.problem or not name:
                raise InputError(row.problem or f"{row.place}: no name; add one")
            yield name, row.get("person") or None
        return
    names = read_names(path)
    if names.refused:
        raise InputError(names.refused[0])
    yield from ((name, None) for name in names)
