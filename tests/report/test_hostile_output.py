"""Hostile names and paths in output (terminal, JSON, CSV, page), and its permissions."""

from __future__ import annotations

import ast
import csv
import io
import json
import os
import sys
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from conftest import make_images
from hypothesis import example, given, settings
from hypothesis import strategies as st
from toy_backend import ToyBackend

from idia_index import audit, build_index
from idia_index.cli.main import run as run_command
from idia_index.cli.terminal import say
from idia_index.prompts.names import make_names
from idia_index.prompts.templates import JAIR2024
from idia_index.report.documents import AuditResult
from idia_index.report.page import report_html
from idia_index.report.subject_result import SubjectResult
from idia_index.report.tables import subjects_csv
from idia_index.search.index import Index
from idia_index.study import subjects, write_subjects
from idia_index.subjects.subjects import make_subject
from idia_index.support.text import check_text, json_text, printable

pytestmark = pytest.mark.usefixtures("toy_plugin")

ROOT = Path(__file__).parents[2]

HOSTILE = [
    "=HYPERLINK(\"http://x\";\"y\")",
    "+1+1|cmd",
    "-2+3",
    "@SUM(A1)",
    "\uff1d1+1",
    "a;=1+1",
    'quote " comma , end',
    "</script><script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "bell\x07 clear\x1b[2J title\x1b]0;x\x07",
    "c1\u009b31m",
    "over\u202eride",
    "zero\u200bwidth",
    "tag\U000e0041",
    "return\rback",
    "tab\there",
    "next\u0085line\u2028end",
]  # fmt: skip

# Any text; what steers terminals, spreadsheets and browsers more often than by chance.
ANY = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from(
            "\x00\x07\t\r\x1b\x7f\x85\x9b\u200b\u202e\u2066\ufeff\ud800\udcff\U000e0041"
        ),
        st.sampled_from("=+-@|%;,\"'<>&/\\{}\uff1d "),
    ),
    max_size=30,
)


def is_obeyed(text: str) -> bool:
    """Whether a terminal might obey a part of a text; by Unicode's own classes, not by our list."""
    allowed = "\n\u200c\u200d"
    return any(
        unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") or unicodedata.bidirectional(c)
        in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
        for c in text
        if c not in allowed
    )  # fmt: skip


def strict_json(text: str) -> Any:
    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    return json.loads(text, parse_constant=refuse)


def joined(text: str) -> str:
    """The text as JSON can say it: two surrogates side by side are one character there."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")


@pytest.mark.slow
@settings(max_examples=300)
@given(ANY)
@example("\ud800\udcff")
def test_any_text_through_every_writer(text: str) -> None:
    shown = printable(text)
    assert not is_obeyed(shown)
    if "\n" not in text and shown == text:
        check_text(text, "here")
    made = json_text({text: [text]}, 1)
    assert strict_json(made) == {joined(text): [joined(text)]} and not is_obeyed(made)
    made.encode("utf-8")
    (head, row) = csv.reader(StringIO(subjects_csv([_called(text)])))
    cell = row[head.index("name")]
    assert cell in (shown, "'" + shown) and not is_obeyed(cell)
    assert cell.lstrip()[:1] not in tuple("=+-@\t\r|%\uff1d\uff0b\uff0d\uff20")
    _check_page(text)


class _Texts(HTMLParser):
    """What a page shows, and its tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@cache
def plain() -> AuditResult:
    """An audit of one person by one template."""
    with tempfile.TemporaryDirectory() as folder:
        photos = make_images(Path(folder) / "photos", 2)
        backend = ToyBackend(model="toy")
        index = build_index(Path(folder) / "i", backend, make_names(["A B", "C D"]), JAIR2024[:1])
        return audit(index, backend, [make_subject("A B", [photos])])


def _called(text: str) -> SubjectResult:
    """The person of that audit under another name."""
    (subject,) = plain().subjects
    votes = tuple(replace(vote, winner=text, tie=False) for vote in subject.votes)
    return replace(subject, name=text, candidate=text, correct_prompts=1, votes=votes)


def _check_page(text: str) -> None:
    def made(text: str) -> str:
        result = replace(plain(), subjects=(_called(text),), notes=(text, text), templates=(text,))
        return report_html(result)

    found, other = _Texts(made(text)), _Texts(made("{plain}"))
    assert found.tags == other.tags
    assert not is_obeyed("".join(found.texts))
    assert "".join(found.texts) == "".join(other.texts).replace("{plain}", printable(text))


@settings(max_examples=100)
@given(ANY, st.sampled_from(["utf-8", "ascii", "latin-1"]))
def test_any_text_reaches_any_terminal(text: str, encoding: str) -> None:
    raw = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        stream = io.TextIOWrapper(raw, encoding=encoding, write_through=True)
        patch.setattr(sys, "stdout", stream)
        say(text)
    assert not is_obeyed(raw.getvalue().decode(encoding))


def test_nothing_else_writes_to_the_terminal() -> None:
    """Progress draws its own line, of words that are no stranger's."""
    for file in sorted((ROOT / "cli").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("click.echo", "print"):
                assert file.name in ("terminal.py", "progress.py"), file


def run(*arguments: object) -> int:
    return run_command([str(argument) for argument in arguments], debug=False)


@contextmanager
def umask(value: int) -> Iterator[None]:
    before = os.umask(value)
    try:
        yield
    finally:
        os.umask(before)


def beside_hostile_rivals(index: Index, folder: Path) -> str:
    """A name that leads for the images, so that rivals are shown, where one of them has won."""
    for number in range(300):
        subject = make_subject(f"=Cmd | Esc{number}", [folder])
        result = audit(index, ToyBackend(model="toy"), [subject])
        if any(vote.winner in HOSTILE for vote in result.subjects[0].votes):
            return subject.name
    raise AssertionError("no name leads")


def test_an_index_of_hostile_names_from_end_to_end(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made without the checks that a build makes of names, as a stranger would."""
    monkeypatch.setattr("idia_index.pipelines.build.make_names", lambda names: names)
    index = build_index(tmp_path / "i", ToyBackend(model="toy"), HOSTILE, JAIR2024[:3])
    folder = make_images(tmp_path / "people" / "=Cmd_|_Esc", 4)
    (folder / "bell \x07 \x1b[31m.png").write_bytes(b"")
    (make_images(tmp_path / "another", 1, seed=9) / "00.png").rename(
        folder / os.fsdecode(b"no \xff utf-8.png")
    )
    name = beside_hostile_rivals(index, folder)
    folder = folder.rename(folder.with_name(name.replace(" ", "_")))
    out = tmp_path / "out"
    names = set()
    for arguments in (
        ("query", tmp_path / "i", folder, "--name", name, "--top", 20),
        ("audit", tmp_path / "i", tmp_path / "people", "--out", out),
        ("info", tmp_path / "i"),
    ):
        capfd.readouterr()
        assert run(*arguments) == 0
        text, errors = capfd.readouterr()
        assert not is_obeyed(text) and not is_obeyed(errors)
        assert run(*arguments, "--json") == 0
        text, errors = capfd.readouterr()
        assert not is_obeyed(text) and not is_obeyed(errors)
        data = strict_json(text)
        names |= {vote["winner"] for s in data.get("subjects", ()) for vote in s["votes"]}
    assert names & set(HOSTILE)  # some of them have won
    report = strict_json((out / "report.json").read_text(encoding="utf-8"))
    files = report["subjects"][0]["image_files"]
    assert sum(Path(file).is_file() for file in files) == len(files) == 5
    for file in ("report.json", "subjects.csv", "index.html"):
        assert not is_obeyed((out / file).read_text(encoding="utf-8")), file
    _, (cell, *_) = csv.reader(StringIO((out / "subjects.csv").read_text(encoding="utf-8")))
    assert cell == f"'{name}"


@pytest.mark.parametrize(
    "arguments",
    [
        ("\x1b[31mverb",),
        ("info", "gone\x1b[31m\u202e"),
        ("query", "gone\n\x07", "x", "--name", "A"),
        ("build", "x\u009b", "--model", "\x1bm", "--names", "n\x1b\n.txt"),
        ("build", "x", "--model", "toy", "--backend", "\x1b[1m", "--sample-names", "3"),
        ("audit", "x", "y", "--tau", "\x1b[1m"),
        ("evaluate", "x", "y", "--bins", "\x1b[1m"),
        ("evaluate", "x", "y", "--draws", "99999999999"),
        ("study", "cc3m", "--out", "x", "--dry-run", "--dry-images", "99999999999"),
        ("study", "\x1b[1m", "--out", "x", "--dry-run"),
        ("replay", "gone\x1b"),
        ("parity", "a\x1b", "b\x1b", "c\x1b"),
    ],
)
def test_errors_are_one_line_that_no_argument_steers(
    arguments: tuple[str, ...], capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 2
    text, errors = capfd.readouterr()
    assert not text and len(errors.splitlines()) == 1 and errors[:-1].isprintable()


@pytest.mark.slow
def test_what_is_written_is_its_owner_s_whatever_the_umask(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("".join(f"First{i % 7} Last{i}\n" for i in range(30)))
    (tmp_path / "more.txt").write_text("Some Body\n")
    make_images(tmp_path / "people" / "First3_Last10", 3)
    (tmp_path / "lists").mkdir()
    alone = ("--min-images", 1, "--sample-sizes", 1, "--draws", 1)
    new = tmp_path / "new"
    with umask(0):
        commands: list[tuple[object, ...]] = [
            ("build", new / "i", "--backend", "toy", "--model", "toy", "--names",
             tmp_path / "names.txt"),
            ("add", new / "i", "--names", tmp_path / "more.txt"),
            ("audit", new / "i", tmp_path / "people", "--out", new / "audit" / "deep"),
            ("evaluate", new / "i", tmp_path / "people", "--out", new / "evaluation", *alone),
            ("remove", new / "i", "--names", tmp_path / "more.txt"),
            ("compact", new / "i"),
            ("query", new / "i", tmp_path / "people", "--name", "A B"),
        ]  # fmt: skip
        for command in commands:
            assert run(*command) == 0, command
        write_subjects(new / "study" / "subjects", 1, processes=1, chosen=subjects()[:2])
    found = [new, *new.rglob("*")]
    assert len(found) > 20
    for path in found:
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


def test_a_link_in_the_way_of_a_report_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("A B\nC D\n")
    make_images(tmp_path / "people" / "A_B", 2)
    assert run("build", tmp_path / "i", "--backend", "toy", "--model", "toy", "--names",
               tmp_path / "names.txt") == 0  # fmt: skip
    audit = ("audit", tmp_path / "i", tmp_path / "people", "--out", tmp_path / "out")
    assert run(*audit) == 0
    precious = tmp_path / "precious.txt"
    text = (tmp_path / "out" / "report.json").read_text()  # as if a report of ours lay elsewhere
    precious.write_text(text)
    for name in ("report.json", "subjects.csv", "report.json.part", "index.html.part"):
        (tmp_path / "out" / name).unlink(missing_ok=True)
        (tmp_path / "out" / name).symlink_to(precious)
    before = precious.stat()
    assert run(*audit) == 0
    assert precious.read_text() == text and precious.stat().st_mtime_ns == before.st_mtime_ns
    for name in ("report.json", "subjects.csv"):
        assert not (tmp_path / "out" / name).is_symlink()
