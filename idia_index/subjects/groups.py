"""Reads each subject's group from a column of the table of subjects."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from idia_index.errors import InputError
from idia_index.prompts.name_order import given_first
from idia_index.prompts.name_table import full_name
from idia_index.prompts.names import clean_name
from idia_index.subjects.subject_table import COLUMNS, tells_people
from idia_index.support.remote import as_place
from idia_index.support.tables import read_table
from idia_index.support.text import labelled, shown, shown_path

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
