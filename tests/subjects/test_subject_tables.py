"""Tables of subjects as spreadsheets and programs write them, and names as people write them."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from conftest import make_images
from hypothesis import given, settings
from hypothesis import strategies as st

from idia_index.errors import InputError
from idia_index.subjects.subjects import SubjectList, make_subject, read_subjects

HEADER = ["name", "path", "membership", "training_count"]
Rows = list[list[str]]


def by_csv(rows: Rows, delimiter: str = ",", quoting: int = csv.QUOTE_MINIMAL) -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, quoting=quoting).writerows(rows)  # type: ignore[arg-type]
    return out.getvalue()


def by_openpyxl(rows: Rows) -> str:
    """A workbook's sheet through openpyxl, exported as its documentation shows it."""
    openpyxl = pytest.importorskip("openpyxl")
    book, file = openpyxl.Workbook(), io.BytesIO()
    for row in rows:
        book.active.append([None if cell == "" else cell for cell in row])
    book.save(file)
    sheet = openpyxl.load_workbook(file).active
    return by_csv([["" if c is None else str(c) for c in row] for row in sheet.values])


def by_pandas(rows: Rows) -> str:
    """With its own index in front, and counts as floats where one is missing."""
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(rows[1:], columns=rows[0])
    frame["training_count"] = pandas.to_numeric(frame["training_count"])
    return str(frame.to_csv())


WRITERS: dict[str, Callable[[Rows], bytes]] = {
    "csv": lambda rows: by_csv(rows).encode(),
    "openpyxl": lambda rows: by_openpyxl(rows).encode(),
    "pandas": lambda rows: by_pandas(rows).encode(),
    "Excel, CSV UTF-8": lambda rows: b"\xef\xbb\xbf" + by_csv(rows).encode(),
    "Excel, semicolons": lambda rows: b"\xef\xbb\xbf" + by_csv(rows, ";").encode(),
    "Excel, sep=": lambda rows: b"\xef\xbb\xbfsep=;\r\n" + by_csv(rows, ";").encode(),
    "Excel, Unicode text": lambda rows: by_csv(rows, "\t").encode("utf-16"),
    "LibreOffice, all quoted": lambda rows: by_csv(rows, ",", csv.QUOTE_ALL).encode(),
    "LibreOffice, bars": lambda rows: by_csv(rows, "|", csv.QUOTE_NONNUMERIC).encode(),
    "LibreOffice, UTF-16": lambda rows: by_csv(rows, ";").encode("utf-16-le"),
    "Numbers, with the table's title": lambda rows: b"Table 1\r\n" + by_csv(rows).encode(),
    "titles above": lambda rows: ("# made in 2024\n\nPeople,,,\n" + by_csv(rows)).encode(),
    "Markdown": lambda rows: "\n".join(
        f"| {' | '.join(row)} |" for row in [rows[0], ["---"] * 4, *rows[1:]]
    ).encode(),
    "capitals": lambda rows: by_csv([[c.upper() for c in rows[0]], *rows[1:]]).encode(),
    "spaces": lambda rows: by_csv(rows).replace(",", " , ").replace("_", " ", 1).encode(),
    "blank columns and rows": lambda rows: by_csv(
        [[*row, "", ""] for row in [*rows, [""] * 4, [""] * 4]]
    ).encode(),
}

NAMES = st.sampled_from(
    ["Jane Doe", "Renée Müller", "O'Brien Conan", "Åsa Öberg", "Ng Wei", "José Pérez", "李 小龙"]
)
PEOPLE = st.lists(
    st.tuples(
        NAMES, st.sampled_from(["member", "non_member", ""]), st.integers(0, 99) | st.just("")
    ),
    min_size=1,
    max_size=5,
    unique_by=lambda person: person[0],
)


@pytest.mark.slow
@pytest.mark.parametrize("written", WRITERS)
@settings(max_examples=12)
@given(PEOPLE)
def test_tables_say_the_same_however_they_are_written(
    written: str, people: list[tuple[str, str, object]]
) -> None:
    rows = [HEADER, *([name, f"{n}.png", m, str(c)] for n, (name, m, c) in enumerate(people))]
    with TemporaryDirectory() as made:
        for number in range(len(people)):
            Path(made, f"{number}.png").touch()
        Path(made, "t.csv").write_bytes(WRITERS[written](rows))
        found = read_subjects(Path(made, "t.csv"))
        assert not found.skipped
        assert [(s.name, s.membership or "", s.training_count) for s in found] == [
            (name, member, None if count == "" else count) for name, member, count in people
        ]
        assert [s.images[0].name for s in found] == [f"{n}.png" for n in range(len(people))]
        plain = ("csv", "openpyxl", "pandas", "LibreOffice, all quoted", "blank columns and rows")
        told = [note for note in found.notes if "contradict each other" not in note]
        assert len(told) == (written not in plain)
        against = [n for n, m, c in people if m and c != "" and (m == "member") != bool(c)]
        assert len(found.notes) - len(told) == bool(against)


def test_windows_1252_is_said_with_an_example(tmp_path: Path) -> None:
    make_images(tmp_path, 1)
    text = "name;path\r\nRenée Müller;00.png\r\n"
    (tmp_path / "t.csv").write_bytes(text.encode("cp1252"))
    found = read_subjects(tmp_path / "t.csv")
    assert found[0].name == "Renée Müller"
    assert "semicolons" in found.notes[0] and "Windows-1252 (line 2: Ren" in found.notes[0]
    for codec in ("cp1251", "cp437", "mac_roman", "iso8859_2"):
        name = "Зеленский Владимир" if codec == "cp1251" else "Renée Żółć"
        data = f"name;path\r\n{name};00.png\r\n".encode(codec, "replace")
        (tmp_path / "t.csv").write_bytes(data)
        with pytest.raises(InputError, match=r"line 2: byte 0x.. at offset .* is not UTF-8"):
            read_subjects(tmp_path / "t.csv")


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("t.zip", b"PK\x03\x04" + bytes(60), "a workbook or another ZIP archive.*unpack it"),
        ("t.xlsx", b"PK\x03\x04" + bytes(60), "a workbook .*save the sheet as CSV UTF-8"),
        ("t.ods", b"PK\x03\x04" + bytes(60), "a workbook .*save the sheet as CSV UTF-8"),
        ("t.numbers", b"PK\x03\x04" + bytes(60), "a workbook .*Export To > CSV"),
        ("t.xls", b"\xd0\xcf\x11\xe0" + bytes(60), "a workbook of old Excel"),
        ("t.csv", b"PAR1" + bytes(60), "a Parquet file"),
    ],
)
def test_workbooks_are_named_with_the_fix(
    tmp_path: Path, name: str, data: bytes, told: str
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=told):
        read_subjects(tmp_path / name)


def table(folder: Path, text: str) -> SubjectList:
    (folder / "t.csv").write_text(text, encoding="utf-8")
    return read_subjects(folder / "t.csv")


def test_paths_are_found_with_either_slash_and_in_either_composition(tmp_path: Path) -> None:
    for form in ("NFC", "NFD"):
        folder = unicodedata.normalize(form, f"Ren\u00e9e{form}")
        make_images(tmp_path / folder / "old", 1)
        other = {"NFC": "NFD", "NFD": "NFC"}[form]
        written = unicodedata.normalize(other, f"Ren\u00e9e{form}")
        for path in (f"{written}/old", f".\\{written}\\old\\00.png", f"{written}\\old"):
            (subject,) = table(tmp_path, f"name,path\nJane Doe,{path}\n")
            assert subject.images[0].is_file()
    mixed = unicodedata.normalize("NFC", "M\u00fcller") + unicodedata.normalize("NFD", " \u00e9")
    make_images(tmp_path / mixed, 1)
    (subject,) = table(tmp_path, "name,path\nJane Doe,M\u00fcller \u00e9\n")
    assert subject.images[0].is_file()


def test_columns_of_first_and_last_names_are_one_name(tmp_path: Path) -> None:
    make_images(tmp_path, 1)
    for header in ("Vorname;Name;Pfad", "first name;surname;file", "Prénom;Nom;Chemin"):
        (subject,) = table(tmp_path, f"{header}\nJane;Doe;00.png\n")
        assert subject.name == "Jane Doe"


def test_last_first_is_the_same_person_everywhere(tmp_path: Path) -> None:
    make_images(tmp_path / "people" / "Taylor, Jerry", 1)
    make_images(tmp_path / "people" / "Davis,_Sammy,_Jr.", 1)
    folders = read_subjects(tmp_path / "people")
    assert [s.name for s in folders] == ["Sammy Davis Jr.", "Jerry Taylor"]
    assert "'Davis, Sammy, Jr.' is 'Sammy Davis Jr.'" in folders.notes[0]
    (subject,) = table(tmp_path, 'name,path\n"Taylor, Jerry","people/Taylor, Jerry"\n')
    assert subject.name == "Jerry Taylor"
    assert make_subject("Taylor, Jerry", [tmp_path / "people" / "Taylor, Jerry"]).name == (
        "Jerry Taylor"
    )


def test_people_of_one_name_are_told_apart_where_the_table_does(tmp_path: Path) -> None:
    for number in range(3):
        make_images(tmp_path / str(number), 2, seed=number)
    rows = "John Smith,0,{0}\nJohn Smith,1,{1}\nJohn Smith,2/00.png,{1}\n"
    for column in ("person_id", "Wikidata", "id"):
        found = table(tmp_path, f"name,path,{column}\n" + rows.format("q7", "q8"))
        assert [(s.name, s.person, len(s.images)) for s in found] == [
            ("John Smith", "q7", 2),
            ("John Smith", "q8", 3),
        ]
        assert "different people of the same name: John Smith" in found.notes[-1]
    # A column that numbers the rows says nothing of people.
    (one,) = table(tmp_path, "id,name,path\n1,John Smith,0/00.png\n2,John Smith,1/00.png\n")
    assert len(one.images) == 2


def test_one_bad_row_costs_only_its_person(tmp_path: Path) -> None:
    make_images(tmp_path, 2)
    found = table(
        tmp_path,
        "name,path,membership\n"
        "Jane Doe,00.png,member\n"
        "Gone Person,gone.png,\n"
        "Bad Truth,00.png,perhaps\n"
        '"Open Quote,00.png,\n'
        "Too,00.png,member,Many\n"
        ",00.png,\n"
        '"Two\n'
        'Lines",00.png,\n'
        "NaN,00.png,\n"
        "#REF!,00.png,\n"
        "Jane Doe,gone.png,member\n"
        "Odd\u200bSpace,00.png,\n"
        "jane DOE,01.png,member\n"
        "John Roe,01.png,Nonmember\n",
    )
    assert [(s.name, s.membership) for s in found] == [
        ("Jane Doe", "member"),
        ("John Roe", "non_member"),
    ]
    assert [s.reason.partition("gone.png: ")[2] for s in found[0].skipped] == [
        "no such image or folder; check the path"
    ]
    reasons = {each.name: each.reason for each in found.skipped}
    for name, told in {
        "Gone Person": "has no photo among 1 file left out: .*line 3: .*no such image",
        "Bad Truth": "line 4: membership is 'perhaps'",
        "line 5": "line 5: its quotes do not close",
        "Too": "line 6: has more cells",
        "line 7": "line 7: a person needs a name and a path, on every line",
        "line 8": "line 8: its quotes do not close",
        "line 9": "line 9: its quotes do not close",
        "line 10": "line 10: a person needs a name",
        "line 11": "line 11: a person needs a name",
        "line 13": "line 13: .*U\\+200B",
        "jane DOE": "'jane DOE' .* and 'Jane Doe' .* are the same name",
    }.items():
        with pytest.raises(AssertionError, match=told):
            raise AssertionError(reasons.pop(name))
    assert not reasons


@pytest.mark.parametrize("nothing", ["NA", "NULL", "nan", "\\N", "-", "?", "unknown", "#N/A"])
def test_what_programs_write_for_nothing(tmp_path: Path, nothing: str) -> None:
    make_images(tmp_path, 1)
    (subject,) = table(
        tmp_path, f"name,path,membership,training_count\nJane Doe,00.png,{nothing},{nothing}\n"
    )
    assert (subject.membership, subject.training_count) == (None, None)


@pytest.mark.parametrize(
    ("yes", "no"), [("True", "False"), ("1", "0"), ("yes", "no"), ("ja", "NEIN")]
)
def test_membership_as_programs_write_a_truth(tmp_path: Path, yes: str, no: str) -> None:
    make_images(tmp_path, 2)
    found = table(tmp_path, f"name,path,is_member\nA B,00.png,{yes}\nC D,01.png,{no}\n")
    assert [subject.membership for subject in found] == ["member", "non_member"]


@pytest.mark.parametrize("count", ["1.000", "1,000", "1'000", "1 000", "1e3", "75,0"])
def test_a_count_that_may_mean_something_else_is_refused(tmp_path: Path, count: str) -> None:
    make_images(tmp_path, 1)
    with pytest.raises(InputError, match=r"training_count is .*write an integer"):
        table(tmp_path, f"name;path;training_count\nJane Doe;00.png;{count}\n")


def test_columns_that_are_not_read_are_told_where_nothing_says_who_is_a_member(
    tmp_path: Path,
) -> None:
    make_images(tmp_path, 1)
    told = table(tmp_path, "name,path,seen,age\nJane Doe,00.png,yes,40\n").notes
    assert [note.split("; ")[-1] for note in told] == ["not read: seen, age"]
    assert not table(tmp_path, "name,path,membership,age\nJane Doe,00.png,member,40\n").notes


def test_a_photo_that_stands_for_two_people_is_told(tmp_path: Path) -> None:
    make_images(tmp_path, 1)
    found = table(tmp_path, "name,path\nJane Doe,00.png\nJohn Roe,00.png\n")
    assert "00.png is listed for 'Jane Doe' and for 'John Roe'" in found.notes[0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Name of person,Path to photo\nJane Doe,00.png\n", "first line is 'Name of person,Path"),
        ('[{"name": "Jane Doe", "path": "00.png"}]\n', "is JSON; pass a CSV"),
        ("<html><table><tr><td>name</td></tr></table>\n", "is HTML or XML; pass a CSV"),
    ],
)
def test_what_is_no_table_of_subjects_is_shown(tmp_path: Path, text: str, told: str) -> None:
    make_images(tmp_path, 1)
    with pytest.raises(InputError, match=told):
        table(tmp_path, text)


def test_paths_of_systems_without_case_and_of_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_images(tmp_path / "Photos", 1)
    (subject,) = table(tmp_path, "name,path\nJane Doe,photos/00.PNG\n")
    assert subject.images == (tmp_path / "Photos" / "00.png",)
    make_images(tmp_path / "here", 1)
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(InputError, match="paths are relative to the table"):
        table(tmp_path, "name,path\nJane Doe,00.png\n")
