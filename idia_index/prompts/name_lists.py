"""First names and surnames of one's own, such as the authors' lists, for `common_names`.

First names: a CSV file with the columns `name` and `sex`, and `percent` (or `count`) where it is
not in order; the layout of the US Social Security Administration's names as the authors used them
(`year,name,percent,sex`) is one. The first line of each name and sex counts.

Surnames: the US Census Bureau's table (`SURNAME`, `FREQUENCY (COUNT)`), or one name per line, most
common first. Names in capitals become title case, as with the authors: MCDONALD is Mcdonald.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from idia_index.errors import InputError
from idia_index.prompts.common_names import SEXES, CommonNames, check_lengths
from idia_index.prompts.names import clean_name
from idia_index.prompts.quicksort import descending_order
from idia_index.support.tables import Columns, Table, read_table
from idia_index.support.text import shown, shown_path
from idia_index.support.text_lines import read_lines

_SEX_WORDS = {
    "f": "f", "female": "f", "girl": "f", "woman": "f",
    "m": "m", "male": "m", "boy": "m", "man": "m",
}  # fmt: skip
_SHARES = ("percent", "count", "frequency")
_FIRST_COLUMNS: Columns = {"name": (), "sex": (), **dict.fromkeys(_SHARES, ())}
_LAST_COLUMNS: Columns = {"surname": (), "frequency": ("frequency_(count)", "count")}


def read_common_names(first_names: Path, surnames: Path, top: int) -> CommonNames:
    """The `top` most common of one's own lists.

    Raises:
        InputError: a file cannot be read, does not fit or holds fewer names than `top`.
    """
    firsts = _first_names(first_names)
    lasts = _surnames(surnames)
    names = CommonNames(
        {sex: tuple(islice((name for name, of in firsts if of == sex), top)) for sex in SEXES},
        tuple(lasts[:top]),
        {
            "first_names": _source(first_names, firsts, top),
            "surnames": _source(surnames, lasts, top),
        },
    )
    check_lengths(names, top, f"{shown_path(first_names)} and {shown_path(surnames)}")
    return names


def _source(file: Path, found: Sequence[object], top: int) -> dict[str, Any]:
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return {"list": f"{file.name} sha256:{digest}", "title": "", "names": len(found), "kept": top}


def _first_names(file: Path) -> list[tuple[str, str]]:
    """(name, sex), most common first."""
    table = read_table(file, _FIRST_COLUMNS)
    if not {"name", "sex"} <= table.columns:
        raise InputError(f"{table.source}: needs the columns name and sex, and percent or count")
    share = next((column for column in _SHARES if column in table.columns), None)
    found: dict[tuple[str, str], float] = {}
    for row in table.rows():
        name, sex = clean_name(row.get("name")), row.get("sex").lower()
        if row.problem or not name or sex not in _SEX_WORDS:
            raise InputError(
                row.problem
                or f"{row.place}: needs a name and a sex, f or m (girl, boy, ...); it has "
                f"{shown(dict(row.cells))}"
            )
        value = _number(row.get(share), table, row.place) if share else 0.0
        found.setdefault((name, _SEX_WORDS[sex]), value)
    pairs = list(found)
    return [pairs[i] for i in descending_order(list(found.values()))] if share else pairs


def _number(text: str, table: Table, where: str) -> float:
    # Where commas do not stand between columns, one without a point is that of a decimal.
    decimal = table.dialect.separator == ";" and "." not in text
    try:
        value = float(text.replace(",", "." if decimal else ""))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{where}: {shown(text)} is no frequency; write a number")
    return value


def _surnames(file: Path) -> list[str]:
    """Surnames in the order of the file; lines of the table without a frequency are no names."""
    table = read_table(file, _LAST_COLUMNS)
    if "surname" in table.columns:
        rows = (row for row in table.rows() if not row.problem and all(row.cells.values()))
        names = [clean_name(row.get("surname")) for row in rows]
    else:
        names = [clean_name(text) for text in read_lines(file).texts]
    return [name.title() if name.isupper() else name for name in names if name]
