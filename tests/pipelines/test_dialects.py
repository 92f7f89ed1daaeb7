"""One workbook's tables as Excel and LibreOffice write them, through a whole audit."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import make_images
from openpyxl import Workbook
from toy_backend import ToyBackend
from xlsx2csv import Xlsx2csv

from idia_index import build_index
from idia_index.cli.main import cli
from idia_index.prompts.names import make_names

HEADER = ("name", "path", "membership", "training_count")
PEOPLE = (
    ("Renée Müller", "a", "member", 25),
    ("O'Brien, Conan", "b", "non_member", None),
    ("Åsa Öberg", "c/00.png", None, None),
    ("Åsa Öberg", "c/01.png", None, None),
)

# What is chosen in the program: (separator, quotes, header, encoding), and what the note says.
DIALECTS = {
    "Excel: CSV UTF-8": (
        ",",
        csv.QUOTE_MINIMAL,
        str.title,
        "utf-8-sig",
        "commas",
        "byte order mark",
    ),
    "Excel: CSV, German": (
        ";",
        csv.QUOTE_MINIMAL,
        str.title,
        "cp1252",
        "semicolons",
        "Windows-1252",
    ),
    "Excel: Unicode text": ("\t", csv.QUOTE_MINIMAL, str.upper, "utf-16", "tabs", "UTF-16"),
    "LibreOffice: semicolons": (";", csv.QUOTE_ALL, str.lower, "utf-8", "semicolons", "UTF-8"),
    "LibreOffice: tabs": ("\t", csv.QUOTE_NONNUMERIC, str.title, "utf-8", "tabs", "'Name' is name"),
    "LibreOffice: UTF-16": (";", csv.QUOTE_ALL, str.upper, "utf-16-le", "semicolons", "UTF-16"),
}


def workbook(header: tuple[str, ...]) -> io.BytesIO:
    book, file = Workbook(), io.BytesIO()
    for row in (header, *PEOPLE):
        book.active.append(row)
    book.save(file)
    file.seek(0)
    return file


def exported(separator: str, quotes: int, header: tuple[str, ...]) -> str:
    """The sheet as another program than ours writes it."""
    import csv

    quoting = {
        csv.QUOTE_MINIMAL: csv.QUOTE_MINIMAL,
        csv.QUOTE_ALL: csv.QUOTE_ALL,
        csv.QUOTE_NONNUMERIC: csv.QUOTE_NONNUMERIC,
    }
    out = io.StringIO()
    Xlsx2csv(workbook(header), delimiter=separator, quoting=quoting[quotes]).convert(out)
    return out.getvalue()


@pytest.mark.usefixtures("toy_plugin")
def test_an_audit_reads_the_same_in_six_dialects_and_says_how(tmp_path: Path) -> None:
    names = ["Renée Müller", "Conan O'Brien", "Åsa Öberg", "A B", "C D"]
    build_index(tmp_path / "i", ToyBackend(model="toy"), make_names(names))
    for seed, folder in enumerate("abc"):
        make_images(tmp_path / folder, 2, seed=seed)
    table, audits = tmp_path / "people.csv", {}

    def audit() -> tuple[object, list[str]]:
        done = CliRunner().invoke(cli, ["audit", str(tmp_path / "i"), str(table), "--json"])
        assert done.exit_code == 0, (done.output, done.exception)
        notes = [line for line in done.stderr.splitlines() if "read as a table" in line]
        return json.loads(done.stdout), notes

    table.write_text(exported(",", csv.QUOTE_MINIMAL, HEADER), encoding="utf-8")
    plain, notes = audit()
    assert not notes
    assert [s["name"] for s in plain["subjects"]] == names[:3]  # type: ignore[index]
    for dialect, (separator, quotes, case, encoding, *told) in DIALECTS.items():
        header = tuple(map(case, HEADER))
        table.write_bytes(exported(separator, quotes, header).encode(encoding))
        audits[dialect], notes = audit()
        assert len(notes) == 1, (dialect, notes)
        assert all(word in notes[0] for word in told), (dialect, notes)
    assert all(each == plain for each in audits.values())
