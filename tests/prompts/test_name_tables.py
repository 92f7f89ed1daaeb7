"""Lists of names in tables and in quotes, and files that only look like a list of names."""

from __future__ import annotations

from pathlib import Path

import pytest

from idia_index.errors import InputError
from idia_index.prompts.name_order import given_first
from idia_index.prompts.names import make_names, read_names
from idia_index.prompts.packed_names import NameList


def read(folder: Path, text: str, codec: str = "utf-8") -> NameList:
    (folder / "n.csv").write_bytes(text.encode(codec))
    return read_names(folder / "n.csv")


@pytest.mark.parametrize(
    "text",
    [
        "Name;Vorname\nDoe;Jane\nRoe;John\n",
        '"name"\n"Jane Doe"\n"John Roe"\n',
        '"Jane Doe"\n"John Roe"\n',
        "id,name\n1,Jane Doe\n2,John Roe\n",
        "Doe, Jane\nRoe, John\n",
        "name\nJane Doe\nJohn Roe\n",
        ",Full Name,age\n0,Jane Doe,3\n1,John Roe,4\n",
        "sep=;\nid;NAME\n1;Jane Doe\n2;John Roe\n",
        "first_name\tlast_name\nJane\tDoe\nJohn\tRoe\n",
        'last name,first name\nDoe,Jane\n"Roe",John\n',
        'name\n"Doe, Jane"\n"Roe, John"\n',
        "name\timage_id\turl\nJane Doe\t1\tu\nJohn Roe\t2\tu\n",
    ],
)
@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_tables_are_read_as_tables_and_said_to_be(tmp_path: Path, text: str, codec: str) -> None:
    names = read(tmp_path, text, codec)
    assert list(names) == ["Jane Doe", "John Roe"]
    assert names.notes and all(str(tmp_path) in note for note in names.notes)


@pytest.mark.parametrize(
    "text",
    [
        "1;Jane Doe\n2;John Roe\n",
        "1,Jane Doe\n2,John Roe\n",
        "1. Jane Doe\n2. John Roe\n",
        "Jane\tDoe\nJohn\tRoe\n",
        "Jane Doe,Actress\nJohn Roe,Singer\n",
        "a|Jane Doe\nb|John Roe\n",
        "Jane Doe,\nJohn Roe,\n",
        "a,Jane Doe,b\nc,John Roe,d\n",
        "- Jane Doe\n- John Roe\n",
        '["Jane Doe", "John Roe"]\n',
    ],
)
def test_what_looks_like_something_else_is_refused_with_the_fix(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"n\.csv: looks like .*write one name per line"):
        read(tmp_path, text)


def test_plain_lists_stay_what_they_are(tmp_path: Path) -> None:
    plain = ["Jane Doe", "Sammy Davis, Jr.", "O'Brien", "50 Cent", "Name", "Prince"]
    names = read(tmp_path, "\n".join(plain))
    assert list(names) == plain and not names.notes
    in_order = ["Doe, Jane", "Roe, John", "Nom, Jean", "Prince"]
    assert len(read(tmp_path, "\n".join(in_order))) == len(in_order)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Doe, Jane", "Jane Doe"),
        ("van der Berg, Jan", "Jan van der Berg"),
        ("King, Martin Luther, Jr.", "Martin Luther King Jr."),
        ("Sammy Davis, Jr.", "Sammy Davis, Jr."),
        ("Jane Doe, PhD", "Jane Doe, PhD"),
        ("García Márquez, Gabriel", "Gabriel García Márquez"),
        ("Зеленский, Владимир", "Владимир Зеленский"),
        ("Jane Doe, actress", "Jane Doe, actress"),
        ("1, Jane", "1, Jane"),
        ("Doe,", "Doe,"),
        ("A, B, C, D", "A, B, C, D"),
        ("Plain Name", "Plain Name"),
    ],
)
def test_the_first_name_comes_first(written: str, name: str) -> None:
    assert given_first(written) == name


def test_bad_lines_are_listed_and_the_others_read(tmp_path: Path) -> None:
    text = (
        "Jane Doe\nOdd\u200bSpace\n"
        + "x" * 5000
        + "\n\nJohn Roe\n"
        + "y" * 3_000_000
        + "\nAnn Lee\n"
    )
    names = read(tmp_path, text)
    assert list(names) == ["Jane Doe", "John Roe", "Ann Lee"]
    assert [names.place(i).rpartition(" ")[2] for i in range(3)] == ["1", "5", "7"]
    assert names.refused_count == 3 and names.blanks == 1
    for reason, told in zip(
        names.refused, ("line 2: .*200B", "line 3: .*longer", "line 6: .*lo"), strict=True
    ):
        with pytest.raises(AssertionError, match=told):
            raise AssertionError(reason)
    with pytest.raises(InputError, match=r"no usable name: .*line 1"):
        read(tmp_path, "Odd\u200bSpace\n")


def test_names_from_elsewhere_are_turned_too() -> None:
    names = make_names(["Doe, Jane", "Jane Doe"])
    assert list(names) == ["Jane Doe"] and names.duplicate_count == 1
    assert "'Doe, Jane' is 'Jane Doe'" in names.notes[0]
    left = make_names(["A B", "C D", "E F"]).without([1])
    assert list(left) == ["A B", "E F"] and left.place(1) == "names, line 3"
