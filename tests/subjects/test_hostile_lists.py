"""Untrusted lists of names, templates and subjects: read as documented, or refused in one line."""

from __future__ import annotations

import csv
import os
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from conftest import make_images
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_backend import ToyBackend

import idia_index.support.text_lines
from idia_index.encode.backend import Backend
from idia_index.encode.embeddings import check_grid
from idia_index.errors import InputError
from idia_index.prompts.grid import PromptGrid
from idia_index.prompts.names import name_key, read_names
from idia_index.prompts.templates import Template, read_templates
from idia_index.registry import load_backend
from idia_index.study import ONNX_DIR
from idia_index.subjects.subjects import make_subject, read_subjects
from idia_index.support.text import printable

# Bytes of lists: what is meant, and what is not.
PARTS = st.one_of(
    st.sampled_from(
        [
            b"Jane Doe", b"jane  DOE", "Jos\u00e9".encode(), b"Jose\xcc\x81", b"\xef\xbb\xbf",
            b"\r\n", b"\n", b"\r", b"\0", b"\x1b[31m", b"\xff\xfe", b"\xe2\x80\xae", b"\xc2\x85",
            b"\xed\xa0\x80",
            b"{0}", b"{name}", b"{{", b"}", b"{0.__class__}", b"{0!r}", b"%s", b",", b'"', b";",
            b"name,path", b",membership", b",training_count", b"a.png", b"photos", b"../",
            b"/dev/zero",
            b"member", b"-1", b"1e9", b"x" * 5000, b" ", b"\t",
        ]
    ),
    st.binary(max_size=6),
)  # fmt: skip
LISTS = st.lists(PARTS, max_size=25).map(b"".join)


@pytest.mark.slow
@settings(max_examples=300)
@given(LISTS)
def test_any_bytes_are_a_list_or_one_line(data: bytes) -> None:
    with TemporaryDirectory() as made:
        file = Path(made, "list.txt")
        file.write_bytes(data)
        names = read(read_names, file)
        if names is not None:
            listed = list(names)
            assert len({name_key(name) for name in listed}) == len(listed) > 0
            assert all(name and printable(name) == name for name in listed)
        for template in read(read_templates, file) or ():
            assert template.fill("{0.__class__}{name}").count("{0.__class__}{name}") == 1
        read(read_subjects, file)


def read(reader: object, file: Path) -> object:
    try:
        return reader(file)  # type: ignore[operator]
    except InputError as error:
        line = str(error)
        assert str(file) in line and len(line) < 1000
        assert printable(line) == line and "\n" not in line
        return None


CSV_CASES = {
    "name,path\n\"A B,a.png\n": "line 2: its quotes do not close",
    "name,path\n\nC D,\"b.png\nE F,a.png\"\n": "line 3: its quotes do not close",
    "\"name,path\nA B\",a.png\n": "has no column name and no column path",
    "nm,path\nA,b\n": "has no column name",
    "": "has no column name and no column path",
    "name,path,name\nA,b,c\n": "the column 'name' twice",
    "name,path\nA B,a.png,more\n": "line 2: has more cells",
    "name;path\nA B;a.png;more\n": "line 2: has more cells .* a semicolon",
    "name,path\n\nA B\n": "line 3: a person needs a name and a path",
    "name,path\nA B,gone.png\n": "line 2: .*gone.png: no such image or folder",
    "name,path\nA B," + "x" * 4000 + "\n": "line 2: .*File name too long",
    "name,path,training_count\nA B,a.png,-5\n": "line 2: training_count is '-5'",
    "name,path,training_count\nA B,a.png," + "9" * 30 + "\n": "line 2: training_count is '999",
    "name,path,training_count\nA B,a.png,\u0663\n": "line 2: training_count is '\u0663'",
    "name,path,membership\nA B,a.png,maybe\n": "line 2: membership is 'maybe'",
    "name,path,membership\nA B,a.png,member\nA B,b.png,\n": "line 3: 'A B' has another membership",
    "name,path\nJa\0ne,a.png\n": "line 2: .*U\\+0000",
    "name,path\n": "no people",
}  # fmt: skip


@pytest.mark.parametrize("text", CSV_CASES, ids=range(len(CSV_CASES)))
def test_a_list_of_subjects_that_does_not_fit(tmp_path: Path, text: str) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).touch()
    (tmp_path / "s.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=CSV_CASES[text]) as caught:
        read_subjects(tmp_path / "s.csv")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 5000


def test_quotes_that_close_are_read_as_pythons_csv_reads_them(tmp_path: Path) -> None:
    for name in ("a,b.png", 'c"d.png', "e.png"):
        (tmp_path / name).touch()
    text = 'path,name,x\n"a,b.png","Doe, Jane",\n"c""d.png",A "B" C,1\n\ne.png,"É F"\n'
    (tmp_path / "s.csv").write_text(text, encoding="utf-8")
    expected = [(row["name"], row["path"]) for row in csv.DictReader(StringIO(text))]
    expected[0] = ("Jane Doe", expected[0][1])  # which is written Last, First
    found = read_subjects(tmp_path / "s.csv")
    assert [(person.name, person.images[0].name) for person in found] == expected


def test_a_list_of_subjects_may_lead_out_of_its_folder(tmp_path: Path) -> None:
    """Documented: what it names is read as images and in no other way."""
    make_images(tmp_path / "photos", 2)
    (tmp_path / "lists").mkdir()
    file = tmp_path / "lists" / "s.csv"
    file.write_bytes(
        b"\xef\xbb\xbfname,path\r\nA B,../photos\r\nA B,../photos/00.png\r\n"
        + f"C D,{tmp_path / 'photos' / '01.png'}\r\n".encode()
    )
    first, second = read_subjects(file)
    assert [path.name for path in first.images] == ["00.png", "01.png"]
    assert [s.reason for s in first.skipped] == [
        f"{tmp_path / 'lists' / '../photos/00.png'}: listed twice, counts once"
    ]
    assert second.images == (tmp_path / "photos" / "01.png",)


def test_a_file_given_by_several_paths_counts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first path stays; files are told apart as the system does it, by their inodes."""
    make_images(tmp_path / "k", 2)
    (tmp_path / "link.png").symlink_to(tmp_path / "k" / "00.png")
    (tmp_path / "linked").symlink_to("k")
    monkeypatch.chdir(tmp_path / "k")
    paths = ["00.png", tmp_path / "k/00.png", "../k/00.png", "../link.png", "../linked", "00.png"]
    person = make_subject("Ann", paths)
    here = tmp_path / "k"  # every path is told from the root, for who is elsewhere
    assert person.images == (here / "00.png", here / "../linked/01.png")
    others = ["00.png", "../k/00.png", "../link.png", "../linked/00.png", "00.png"]
    assert [each.path for each in person.skipped] == [here / other for other in others]
    assert all("the same file as " in each.reason for each in person.skipped[1:4])
    assert all("listed twice" in each.reason for each in person.skipped[::4])
    assert len({path.stat().st_ino for path in person.images}) == len(person.images)


@pytest.mark.parametrize("reader", [read_names, read_templates, read_subjects])
def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path, reader: object) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "circle").symlink_to("circle")
    for name in ("pipe", "zero", "circle", "gone"):
        assert read(reader, tmp_path / name) is None


def test_a_list_that_is_read_whole_has_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idia_index.support.text_lines, "MAX_WHOLE", 1000)
    (tmp_path / "t.txt").write_text("".join(f"{'a' * i} {{0}}\n" for i in range(60)))
    with pytest.raises(InputError, match=r"t\.txt: more than 1,000 characters"):
        read_templates(tmp_path / "t.txt")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Jane " + "Doe " * 900 + "x", "tokens, the model reads 24"),
        ("x" * 4000, "tokens, the model reads 24"),
        ("Jane <end_of_text>", "holds one of the model's special tokens"),
    ],
)
def test_a_prompt_that_the_model_cannot_read_is_shown_in_short(name: str, told: str) -> None:
    backend = load_backend("onnx", model=str(ONNX_DIR))
    grid = PromptGrid([Template("a photo of {0}")], ["Jane Doe", name])
    for attempt in (
        lambda: check_grid(backend, grid, 0, 2),
        lambda: Backend(backend).encode_texts([grid.text(0, 1)]),
    ):
        with pytest.raises(InputError, match=told) as caught:
            attempt()
        assert str(caught.value).startswith("prompt 'a photo of ")
        assert len(str(caught.value)) < 500


def test_nothing_in_a_name_or_template_is_formatted() -> None:
    toy = ToyBackend(model="toy")
    for odd in ("{0.__class__}", "{0!r}", "{}", "%s", "$name", "{{0}}", "\\N{BULLET}", "{name}"):
        assert Template("a {0} b").fill(odd) == f"a {odd} b"
        assert Backend(toy).encode_texts([Template("{name}").fill(odd)]).shape == (1, 16)
    for odd in ("{0.__class__}", "{0!r}", "{{0}}", "{0:>9999999999}", "{0[x]}", "{}", "{0} {0}"):
        with pytest.raises(InputError, match=r"write \{0\} or \{name\} once"):
            Template(odd)
