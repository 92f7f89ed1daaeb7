"""Every kind of table, in every dialect, is read like plain CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from idia_index.captions.members_csv import read_members
from idia_index.errors import InputError
from idia_index.pipelines.studies.definition import read_study
from idia_index.prompts.name_lists import read_common_names

Rows = list[list[str]]


def by_csv(rows: Rows, delimiter: str = ",", quoting: int = csv.QUOTE_MINIMAL) -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, quoting=quoting).writerows(rows)  # type: ignore[arg-type]
    return out.getvalue()


DIALECTS: dict[str, Callable[[Rows], bytes]] = {
    "Excel, semicolons": lambda rows: b"\xef\xbb\xbf" + by_csv(rows, ";").encode(),
    "Excel, sep=": lambda rows: b"sep=;\r\n" + by_csv(rows, ";").encode(),
    "Excel, Unicode text": lambda rows: by_csv(rows, "\t").encode("utf-16"),
    "Excel, Windows-1252": lambda rows: by_csv(rows, ";").encode("cp1252"),
    "LibreOffice, all quoted": lambda rows: by_csv(rows, "|", csv.QUOTE_ALL).encode(),
    "pandas": lambda rows: by_csv([[str(n), *row] for n, row in enumerate(rows)]).encode(),
    "capitals, a space after commas, blank columns": lambda rows: "\n".join(
        ", ".join([*(c.upper() if n == 0 else c for c in row), "", ""])
        for n, row in enumerate(rows)
    ).encode(),
}
PEOPLE = [
    ["name", "membership", "training_count"],
    ["Zoë Doe", "member", "12"],
    ["John Roe", "non_member", "0"],
    ["Ann Lee", "", "3"],
]
FIRSTS = [
    ["name", "sex", "percent"],
    ["Zoë", "f", "0.08"],
    ["Ann", "girl", "0.1"],
    ["Al", "m", "1"],
]
LASTS = [["SURNAME", "RANK", "FREQUENCY (COUNT)"], ["MÜLLER", "1", "2000"], ["NOTES", "", ""]]


def _members(folder: Path) -> Any:
    return read_members(folder / "people.csv")


def _study(folder: Path) -> Any:
    data = {"format": "idia-index/study/1", "title": "T", "people": "people.csv"}
    (folder / "s.json").write_text(json.dumps(data))
    return read_study(str(folder / "s.json")).people


def _common(folder: Path) -> Any:
    found = read_common_names(folder / "firsts.csv", folder / "lasts.csv", 1)
    return found.firsts, found.lasts


READERS: dict[str, Callable[[Path], Any]] = {
    "members.csv": _members, "a study's people": _study, "lists of common names": _common
}  # fmt: skip


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("reader", READERS)
def test_a_table_says_the_same_in_every_dialect(reader: str, dialect: str, tmp_path: Path) -> None:
    for name, rows in (("people", PEOPLE), ("firsts", FIRSTS), ("lasts", LASTS)):
        (tmp_path / f"{name}.csv").write_text(by_csv(rows), encoding="utf-8")
    plain = READERS[reader](tmp_path)
    for name, rows in (("people", PEOPLE), ("firsts", FIRSTS), ("lasts", LASTS)):
        (tmp_path / f"{name}.csv").write_bytes(DIALECTS[dialect](rows))
    assert READERS[reader](tmp_path) == plain


def test_commas_of_decimals_where_semicolons_stand_between_columns(tmp_path: Path) -> None:
    (tmp_path / "firsts.csv").write_text("name;sex;percent\nBea;f;0,081\nAnn;f;0,1\nAl;m;1\n")
    (tmp_path / "lasts.csv").write_text("Doe\n")
    assert _common(tmp_path)[0]["f"] == ("Ann",)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name,training_count\nA B,1\n", "has no column membership"),
        ('name,membership,training_count\n"A B,member,1\n', "line 2: its quotes do not close"),
        ("name,membership,training_count\nA B,member,x\n", "line 2: training_count is 'x'"),
        ("name,membership,training_count\nA B,member,1,2\n", "line 2: has more cells"),
        ("name,name,membership,training_count\nA,B,member,1\n", "has the column 'name' twice"),
    ],
)
def test_members_that_cannot_be_read(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text(text)
    with pytest.raises(InputError, match=told):
        _members(tmp_path)
