"""Reads members.csv as written by `idia-index members`."""

from __future__ import annotations

import os
from dataclasses import dataclass

from idia_index.errors import InputError
from idia_index.prompts.name_table import PERSONS
from idia_index.prompts.names import name_key
from idia_index.support.tables import Columns, Row, read_table
from idia_index.support.text import labelled, shown

_NEEDED = ("name", "membership", "training_count")
_COLUMNS: Columns = {**dict.fromkeys(_NEEDED, ()), "person": PERSONS}
_MEMBERSHIPS = ("member", "non_member", "")


@dataclass(frozen=True)
class Counted:
    """The captions' result for a name; `membership` None if undecided.

    `person` distinguishes people of the same name; None: all of them.
    """

    name: str
    membership: str | None
    training_count: int
    person: str | None = None


def read_members(path: str | os.PathLike[str]) -> dict[tuple[str, str | None], Counted]:
    """The lines of members.csv by `name_key` and person.

    Raises:
        InputError: the file is not such a table, or has a name twice.
    """
    table = read_table(path, _COLUMNS)
    where = table.source
    if missing := [column for column in _NEEDED if column not in table.columns]:
        raise InputError(
            f"{where}: has no column {missing[0]}; pass the members.csv that idia-index members "
            "writes"
        )
    found: dict[tuple[str, str | None], Counted] = {}
    for row in table.rows():
        counted = _counted(row)
        if found.setdefault((name_key(counted.name), counted.person), counted) is not counted:
            who = shown(labelled(counted.name, counted.person))
            raise InputError(f"{row.place}: {who} is listed twice; remove one line")
    if not found:
        raise InputError(f"{where}: lists no names; run idia-index members again")
    return found


def _counted(row: Row) -> Counted:
    if row.problem:
        raise InputError(row.problem)
    membership, count = row.get("membership"), row.get("training_count")
    if membership not in _MEMBERSHIPS:
        raise InputError(
            f"{row.place}: membership is {shown(membership)}; write member or non_member"
        )
    if not (count.isascii() and count.isdigit() and len(count) < 16):
        raise InputError(f"{row.place}: training_count is {shown(count)}; write an integer")
    return Counted(row.get("name"), membership or None, int(count), row.get("person") or None)
