"""Wording for readers: notes on few images, and singular forms."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from conftest import make_images
from toy_backend import ToyBackend

from idia_index import Settings, audit, build_index, evaluate
from idia_index.cli.main import run as run_command
from idia_index.evaluation.records.p_values import ControlRange, PValueSummary, RuleNull
from idia_index.prompts.names import make_names
from idia_index.report.page import report_html
from idia_index.report.text import stand_out_text
from idia_index.search.index import Index
from idia_index.subjects.subjects import MEMBER, NON_MEMBER, Subject, make_subject
from idia_index.support.text import counted

pytestmark = pytest.mark.usefixtures("toy_plugin")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    folder = tmp_path_factory.mktemp("wording")
    return build_index(folder / "i", ToyBackend(model="toy"), make_names(["A B", "C D", "E F"]))


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    capsys.readouterr()
    assert run_command([str(argument) for argument in arguments], debug=True) == 0
    out, errors = capsys.readouterr()
    return out + errors


@pytest.mark.parametrize(
    ("images", "very_few", "few"),
    [
        ([1], "1 of the people tested has fewer than 3 images", None),
        ([2, 1, 40], "2 of the people tested have fewer than 3 images", None),
        ([3], None, "1 of the people tested has fewer than 15 images"),
        ([14, 3, 2, 15], "1 of the people tested has fewer than 3", "2 of the people tested have"),
        ([15, 30], None, None),
    ],
)
def test_few_images_are_cautioned_of(
    index: Index, tmp_path: Path, images: list[int], very_few: str | None, few: str | None
) -> None:
    names = ["A B", "C D", "E F", "G H"][: len(images)]
    people = []
    for name, count in zip(names, images, strict=True):
        folder = make_images(tmp_path / name, count)
        people.append(Subject(name, tuple(sorted(folder.iterdir()))))
    said = audit(index, ToyBackend(model="toy"), people).notes
    found = [note for note in said if "of the people tested" in note]
    assert len(found) == (very_few is not None) + (few is not None)
    if very_few is not None:
        assert found[0].startswith(very_few) and "Draw no conclusion" in found[0]
    if few is not None:
        assert found[-1].startswith(few) and "protocol takes 30" in found[-1]


@pytest.mark.parametrize(("candidates", "cautioned"), [(499, True), (500, False)])
def test_few_candidates_are_cautioned_of(tmp_path: Path, candidates: int, cautioned: bool) -> None:
    names = make_names([f"Name {chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(candidates)])
    built = build_index(tmp_path / "i", ToyBackend(model="toy"), names, ["{0}"])
    person = make_subject("Name aa", make_images(tmp_path / "Name_aa", 3))
    said = " ".join(audit(built, ToyBackend(model="toy"), [person]).notes)
    assert (f"Few candidate names compete: {candidates}" in said) == cautioned


def test_every_verb_shares_the_caution(
    index: Index, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_images(tmp_path / "people" / "A_B", 1)
    caution = "1 of the people tested has fewer than 3 images"
    query = ("query", index.path, tmp_path / "people" / "A_B", "--name", "A B")
    people = ("audit", index.path, tmp_path / "people")
    for arguments in (query, people, (*query, "--json"), (*people, "--json")):
        assert caution in run(capsys, *arguments), arguments
    run(capsys, *people, "--out", tmp_path / "out")
    assert caution in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    report: dict[str, Any] = json.loads((tmp_path / "out" / "report.json").read_text())
    assert any(caution in note for note in report["notes"])


@pytest.mark.slow
def test_one_of_a_thing_is_no_plural(
    index: Index, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("A_B", "New_Name"):
        folder = make_images(tmp_path / "people" / name, 1)
        (folder / "broken.png").write_bytes(b"")
    lines = ["name,path,membership,training_count"]
    lines += [f"A B,people/A_B/00.png,{MEMBER},1", f"New Name,people/New_Name,{NON_MEMBER},"]
    (tmp_path / "people.csv").write_text("\n".join(lines))
    out = tmp_path / "out"
    said = run(capsys, "query", index.path, tmp_path / "people" / "A_B", "--name", "A B")
    assert "over 1 image (tau 1)" in said and "1 file was left out" in said
    sizes = ("--sample-sizes", "1", "--min-images", "1", "--bins", "0,1")
    for arguments in (
        ("audit", index.path, tmp_path / "people.csv", "--out", out),
        ("evaluate", index.path, tmp_path / "people.csv", *sizes, "--out", out),
        ("evaluate", "--from", out, *sizes, "--max-training-count", "0"),
        ("info", index.path),
        ("replay", out),
    ):
        said += run(capsys, *arguments)
    assert "Members with 1 training image  " in said and "1 of the subjects' names was not" in said
    said += (out / "index.html").read_text(encoding="utf-8")
    told = json.loads((out / "report.json").read_text())
    said += " ".join([*told["notes"], *told["warnings"]])
    wrong = re.findall(r"\b1 (?!of )(?:\w+[ -]){0,2}?(?:images|files|names|members|people|positives"
                       r"|prompts|candidates|shards|numbers|differences)\b.{9}", said)  # fmt: skip
    assert not wrong


def test_counted() -> None:
    assert [counted(n, "image") for n in (0, 1, 2, 1000)] == [
        "0 images", "1 image", "2 images", "1,000 images"
    ]  # fmt: skip
    assert counted(1, "person", "people") == "1 person"
    assert counted(2, "person", "people") == "2 people"


REFUSED = (
    "lies between",
    "likely reason",
    "nearly as well",
    "firm from",
    "too small or too large",
    "±",
)  # each said more than the figures do


@pytest.mark.slow
def test_words_say_no_more_than_the_figures(tmp_path: Path) -> None:
    names = make_names(["A B", "C D", "E F", "G H", "I J"])
    index = build_index(tmp_path / "i", ToyBackend(model="toy"), names)
    people = [
        Subject(name, tuple(sorted(make_images(tmp_path / name, 3).iterdir())), membership)
        for name, membership in (("A B", MEMBER), ("C D", NON_MEMBER), ("E F", NON_MEMBER))
    ]
    settings = Settings(sizes=(1, 3), min_images=3)
    result = evaluate(index, ToyBackend(model="toy"), people, settings)
    said = " ".join([report_html(result), result.to_text()])
    for words in REFUSED:
        assert words not in said.lower(), words
    assert "if the non-members here are like the people to be judged" in said
    assert "by chance, it would associate" in said
    missed = [s.verdict for s in result.subjects if not s.inferred_member]
    assert missed and all("of 1 known member here" in verdict for verdict in missed)
    alone = audit(index, ToyBackend(model="toy"), people[1:])
    assert all("is not known here" in s.verdict for s in alone.subjects if not s.inferred_member)


def test_of_those_that_stand_out_it_is_said_how_many_may_be_wrong() -> None:
    found = stand_out_text(summary(discoveries=95))
    assert found == (
        "95 people stand out at a false discovery rate of 5%: about 5 of them may be wrong, and "
        "nobody knows which"
    )
    assert "wrong" not in stand_out_text(summary(discoveries=0))


def summary(discoveries: int) -> PValueSummary:
    return PValueSummary(
        method="", score="", calibrated=True, reference_faces=None, logit_scale=100.0,
        logit_scale_assumed=False, assumption="", controls=ControlRange(9, 9), matched_on={},
        fdr=0.05, discoveries=discoveries, discoveries_any_dependence=0, discoveries_members=0,
        discoveries_non_members=0,
        rule_null=RuleNull(0, 1, 0.0, None, 1), non_members_small=None,
    )  # fmt: skip
