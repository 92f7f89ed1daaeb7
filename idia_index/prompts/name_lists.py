"""First names and surnames of one's own, such as the authors' lists, for `common_names`.

First names: a CSV file with the columns `name` and `sex`, and `percent` (or `count`) where it is
not in order; the layout of the US Social Security Administration's names as the authors used them
(`year,name,percent,sex`) is one. The first line of each name and sex counts.

Surnames: the US Census Bureau's table (`SURNAME`, `FREQUENCY (COUNT)`), or one name a line, most
common first. Names in capitals become title case, as with the authors: MCDONALD is Mcdonald.
"""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from idia_index.errors import InputError
from idia_index.prompts.common_names import SEXES, CommonNames, check_lengths
from idia_index.prompts.names import clean_name
from idia_index.prompts.quicksort import descending_order
from idia_index.support.csv_lines import table_rows
from idia_index.support.text import shown, shown_path
from idia_index.support.text_lines import Lines, read_lines

_SEX_WORDS = {
    "f": "f", "female": "f", "girl": "f", "woman": "f",
    "m": "m", "male": "m", "boy": "m", "man": "m",
}  # fmt: skip
_SHARES = ("percent", "count", "frequency")
_SURNAME = "surname"


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
    where, rows = shown_path(file), _table(file)
    columns = [cell.strip().lower() for cell in next(rows, (0, [""]))[1]]
    if not {"name", "sex"} <= set(columns):
        raise InputError(f"{where}: needs the columns name and sex, and percent or count")
    share = next((column for column in _SHARES if column in columns), None)
    found: dict[tuple[str, str], float] = {}
    for line, cells in rows:
        row = dict(zip(columns, cells, strict=False))
        name, sex = clean_name(row.get("name", "")), row.get("sex", "").strip().lower()
        if not name or sex not in _SEX_WORDS:
            raise InputError(
                f"{where}, line {line}: needs a name and a sex, f or m (girl, boy, ...); "
                f"it has {shown(row)}"
            )
        value = _number(row.get(share, ""), f"{where}, line {line}") if share else 0.0
        found.setdefault((name, _SEX_WORDS[sex]), value)
    pairs = list(found)
    return [pairs[i] for i in descending_order(list(found.values()))] if share else pairs


def _number(text: str, where: str) -> float:
    try:
        value = float(text.replace(",", ""))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{where}: {shown(text)} is no frequency; write a number")
    return value


def _surnames(file: Path) -> list[str]:
    """Surnames in the order of the file; lines of the table with an empty cell are no names."""
    lines = read_lines(file)
    if not lines.texts or _SURNAME not in lines.texts[0].lower().split(","):
        names = [clean_name(text) for text in lines.texts]
    else:
        rows = _rows(lines, shown_path(file))
        columns = [cell.strip().lower() for cell in next(rows)[1]]
        place = columns.index(_SURNAME)
        names = [
            clean_name(cells[place])
            for _, cells in rows
            if len(cells) == len(columns) and all(cell.strip() for cell in cells)
        ]
    return [name.title() if name.isupper() else name for name in names if name]


def _table(file: Path) -> Iterator[tuple[int, list[str]]]:
    return _rows(read_lines(file), shown_path(file))


def _rows(lines: Lines, where: str) -> Iterator[tuple[int, list[str]]]:
    try:
        yield from table_rows(lines)
    except csv.Error as error:
        raise InputError(f"{where}: not a CSV file ({error}); check its quotes") from error
