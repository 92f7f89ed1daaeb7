"""Two people of the same name in a table stay two, from the table to the replay."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from toy_backend import ToyBackend
from toy_world import CROWD, MEMBERS, NON_MEMBERS, make_world, name_of

from idia_index import build_index
from idia_index.cli.main import run as run_command
from idia_index.errors import InputError
from idia_index.prompts.names import make_names
from idia_index.subjects.from_captions import with_members
from idia_index.subjects.subjects import read_subjects

pytestmark = pytest.mark.usefixtures("toy_plugin")
MEMBER, STRANGER = 5, MEMBERS + 6  # the second gets the first's name
Paths = tuple[Path, Path]


def run(*arguments: object) -> int:
    return run_command([str(argument) for argument in arguments], False)


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """An index, and a table in which a member and a non-member share a name."""
    index, table = make_world(tmp_path_factory.mktemp("world"))
    head, *rows = table.read_text().splitlines()
    rows[STRANGER] = rows[STRANGER].replace(name_of(STRANGER), name_of(MEMBER))
    rows = [f"{row},q{place}" for place, row in enumerate(rows)]
    table.write_text("\n".join([f"{head},person_id", *rows]) + "\n")
    return index.path, table


@pytest.fixture(params=["there", "gone"])
def source(request: pytest.FixtureRequest, paths: Paths) -> Iterator[str]:
    """The table from which a replay reads the people again, or its absence."""
    yield request.param
    if (away := paths[1].with_suffix(".away")).exists():
        away.rename(paths[1])


def of_the_name(out: Path) -> dict[str, Any]:
    found = json.loads((out / "report.json").read_text())["subjects"]
    assert len(found) == MEMBERS + NON_MEMBERS
    return {s["person_id"]: s for s in found if s["name"] == name_of(MEMBER)}


COMMANDS = {"audit": (), "evaluate": ("--min-images", 5, "--sample-sizes", "1,5", "--draws", 2)}


@pytest.fixture(scope="module")
def reported(paths: Paths, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The report of a verb, not to be written to: made when it is first asked for."""
    folder = tmp_path_factory.mktemp("reports")

    @cache
    def made(verb: str) -> Path:
        assert run(verb, *paths, *COMMANDS[verb], "--out", folder / verb) == 0
        return folder / verb

    return made


@pytest.mark.slow
@pytest.mark.parametrize("verb", COMMANDS)
def test_both_are_reported_and_replayed(
    verb: str,
    source: str,
    paths: Paths,
    reported: Callable[[str], Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = reported(verb)
    both = of_the_name(out)
    assert [both[q]["membership"] for q in both] == ["member", "non_member"]
    folders = {q: {Path(f).parent.name for f in each["image_files"]} for q, each in both.items()}
    assert folders == {f"q{i}": {f"p{i}"} for i in (MEMBER, STRANGER)}
    # Each is decided by their own photos: the member is found, the other is not.
    assert [both[q]["inferred_member"] for q in both] == [True, False]
    with (out / "subjects.csv").open(newline="") as file:
        rows = {r["person_id"]: r for r in csv.DictReader(file) if r["name"] == name_of(MEMBER)}
    assert {q: row["membership"] for q, row in rows.items()} == {
        f"q{MEMBER}": "member",
        f"q{STRANGER}": "non_member",
    }
    page = (out / "index.html").read_text()
    for person in both:
        assert f"{name_of(MEMBER)} ({person})" in page
    if source == "gone":
        paths[1].rename(paths[1].with_suffix(".away"))
    capsys.readouterr()
    assert run("replay", out, "--json") == 0
    data = json.loads(capsys.readouterr().out)
    assert data["exact"] and data["subjects"] == MEMBERS + NON_MEMBERS


@pytest.mark.slow
def test_whom_the_settings_leave_out_is_one_of_the_two(
    paths: Paths,
    tmp_path: Path,
    reported: Callable[[str], Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The member has 25 training images, the other none."""
    out = ("--out", tmp_path / "o", "--max-training-count", 5)
    assert run("evaluate", "--from", reported("evaluate"), *COMMANDS["evaluate"], *out) == 0
    report = json.loads((tmp_path / "o" / "report.json").read_text())
    assert [s["person_id"] for s in report["subjects"] if s["name"] == name_of(MEMBER)] == [
        f"q{STRANGER}"
    ]
    for gone in (False, True):
        if gone:
            paths[1].rename(paths[1].with_suffix(".away"))
        try:
            capsys.readouterr()
            assert run("replay", tmp_path / "o", "--json") == 0
        finally:
            if gone:
                paths[1].with_suffix(".away").rename(paths[1])
        assert json.loads(capsys.readouterr().out)["exact"]


@pytest.mark.slow
def test_what_is_falsified_of_one_is_named_as_theirs(
    paths: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("audit", *paths, "--out", tmp_path / "o") == 0
    data = json.loads((tmp_path / "o" / "report.json").read_text())
    one = next(s for s in data["subjects"] if s["person_id"] == f"q{STRANGER}")
    one["margin"] = 0.5
    (tmp_path / "o" / "report.json").write_text(json.dumps(data))
    capsys.readouterr()
    assert run("replay", tmp_path / "o", "--json") == 1
    found = json.loads(capsys.readouterr().out)["differences"]
    assert [each["where"] for each in found] == [
        f"subjects[{name_of(MEMBER)} (q{STRANGER})].margin"
    ]


@pytest.mark.slow
def test_two_models_are_compared_person_by_person(
    paths: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index, table = paths
    assert run("audit", index, table, "--out", tmp_path / "o") == 0
    wanted = {q: each["margin"] for q, each in of_the_name(tmp_path / "o").items()}
    capsys.readouterr()
    names = make_names([name_of(i) for i in range(MEMBERS + NON_MEMBERS + CROWD)])
    build_index(tmp_path / "other", ToyBackend(model="another"), names)
    assert run("compare", tmp_path / "other", index, table, "--json") == 0
    people = json.loads(capsys.readouterr().out)["people"]
    assert len(people) == MEMBERS + NON_MEMBERS
    found = {p["person_id"]: p["margin_after"] for p in people if p["name"] == name_of(MEMBER)}
    assert found == pytest.approx(wanted)


@pytest.mark.slow
def test_who_is_to_be_forgotten_is_one_of_the_two(
    paths: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index, table = paths
    names = make_names([name_of(i) for i in range(MEMBERS + NON_MEMBERS + CROWD)])
    build_index(tmp_path / "other", ToyBackend(model="another"), names)
    forget = tmp_path / "forget.csv"
    command = ("compare", tmp_path / "other", index, table, "--forget", forget, "--json")
    forget.write_text(f"{name_of(0)}\n{name_of(MEMBER)}\n")
    assert run(*command) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert f"{name_of(MEMBER)!r} is the name of 2 people in SUBJECTS (q5, q30)" in line
    assert "name,person_id" in line
    forget.write_text(f"name,person_id\n{name_of(MEMBER)},q99\n")
    assert run(*command) == 2
    assert f"'{name_of(MEMBER)} (q99)' is not among SUBJECTS" in capsys.readouterr().err
    forget.write_text(f"name;person_id\n{name_of(MEMBER)};q{STRANGER}\n{name_of(0)};\n")
    assert run(*command) == 0
    people = json.loads(capsys.readouterr().out)["people"]
    assert {p["person_id"] for p in people if p["group"] == "forget"} == {f"q{STRANGER}", "q0"}
    forget.write_text(f"{name_of(0)}\nOdd\u200bName\n", encoding="utf-8")
    assert run(*command) == 2 and "line 2" in capsys.readouterr().err


def test_captions_do_not_tell_which_of_the_two_they_mean(paths: Paths, tmp_path: Path) -> None:
    plain = tmp_path / "plain.csv"  # no truth of its own
    with paths[1].open(newline="") as file:
        rows = [
            (r["name"], paths[1].parent / r["path"], r["person_id"]) for r in csv.DictReader(file)
        ]
    with plain.open("w", newline="") as file:
        csv.writer(file).writerows([("name", "path", "person_id"), *rows])
    subjects = read_subjects(plain)
    members = tmp_path / "members.csv"

    def told(text: str) -> tuple[list[str | None], str]:
        members.write_text(text)
        found = with_members(subjects, members)
        both = [s.membership for s in found if s.name == name_of(MEMBER)]
        return both, " ".join(found.notes)

    head, who = "name,membership,training_count", name_of(MEMBER)
    both, note = told(f"{head}\n{who},member,7\n{name_of(0)},member,3\n")
    assert both == [None, None] and f"distinguish the people named {who};" in note
    both, note = told(f"{head}\n{who},non_member,0\n")
    assert both == ["non_member"] * 2 and "distinguish the people" not in note
    both, note = told(f"{head},person_id\n{who},member,7,q{STRANGER}\n{who},non_member,0,q5\n")
    assert both == ["non_member", "member"] and "distinguish the people" not in note
    with pytest.raises(InputError, match=rf"'{who} \(q5\)' is listed twice"):
        told(f"{head},person_id\n{who},member,7,q5\n{who},member,7,q5\n")


@pytest.mark.slow
def test_each_of_the_two_is_in_a_group_of_their_own(
    paths: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index, table = paths
    head, *rows = table.read_text().splitlines()
    grouped = table.with_name("grouped.csv")
    rows = [f"{row},{'new' if place == STRANGER else 'old'}" for place, row in enumerate(rows)]
    grouped.write_text("\n".join([f"{head},agency", *rows]) + "\n")
    assert run("audit", index, grouped, "--group", "agency", "--json") == 0
    found = json.loads(capsys.readouterr().out)["groups"]
    assert {g["group"]: g["people"] for g in found} == {"old": MEMBERS + NON_MEMBERS - 1, "new": 1}
