"""members.csv as `idia-index members` writes it -> what it says of each name."""

from __future__ import annotations

import csv
import os
from dataclasses import dataclass

from idia_index.errors import InputError
from idia_index.prompts.names import name_key
from idia_index.support.csv_lines import table_rows
from idia_index.support.text import shown, shown_path
from idia_index.support.text_lines import read_lines

_NEEDED = ("name", "membership", "training_count")
_MEMBERSHIPS = ("member", "non_member", "")


@dataclass(frozen=True)
class Counted:
    """What the captions say of a name; `membership` None where they do not tell."""

    name: str
    membership: str | None
    training_count: int


def read_members(path: str | os.PathLike[str]) -> dict[str, Counted]:
    """The lines of members.csv by `name_key`.

    Raises:
        InputError: the file is no such table, or has a name twice.
    """
    where = shown_path(path)
    lines = table_rows(read_lines(path))
    found: dict[str, Counted] = {}
    try:
        _, columns = next(lines, (0, []))
        if missing := [column for column in _NEEDED if column not in columns]:
            raise InputError(
                f"{where}: has no column {missing[0]}; give the members.csv that idia-index "
                "members writes"
            )
        for number, cells in lines:
            row = dict(zip(columns, cells, strict=False))
            counted = _counted(row, f"{where}, line {number}")
            if found.setdefault(name_key(counted.name), counted) is not counted:
                raise InputError(
                    f"{where}, line {number}: {shown(counted.name)} stands there twice"
                )
    except csv.Error as error:
        raise InputError(f"{where}: not a CSV file ({error}); check its quotes") from error
    if not found:
        raise InputError(f"{where}: names nobody; run idia-index members again")
    return found


def _counted(row: dict[str, str], line: str) -> Counted:
    membership, count = row.get("membership", ""), row.get("training_count", "")
    if membership not in _MEMBERSHIPS:
        raise InputError(f"{line}: membership is {shown(membership)}; write member or non_member")
    if not (count.isascii() and count.isdigit() and len(count) < 16):
        raise InputError(f"{line}: training_count is {shown(count)}; write an integer")
    return Counted(row.get("name", ""), membership or None, int(count))
