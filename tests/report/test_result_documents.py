"""Documents: each conforms to its schema, and results are plain data."""

from __future__ import annotations

import json
import pickle
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from conftest import make_images
from jsonschema import Draft202012Validator
from toy_backend import ToyBackend

from idia_index import audit, build_index, evaluate, open_index
from idia_index.cli.documents import DOCUMENTS, schemas
from idia_index.cli.main import run as run_command
from idia_index.encode.image_bytes import ImageBytes
from idia_index.errors import MissingExtraError
from idia_index.evaluation.settings import Settings
from idia_index.pipelines.parity import compare
from idia_index.prompts.names import make_names
from idia_index.prompts.templates import JAIR2024
from idia_index.report.documents import AuditResult
from idia_index.subjects.records import Skipped
from idia_index.subjects.subjects import read_subjects
from idia_index.support.documents import from_json, named, schema, to_json

ROOT = Path(__file__).parents[2]
FOLDERS = (ROOT / "idia_index" / "report" / "schema", ROOT / "docs" / "schema")

pytestmark = pytest.mark.usefixtures("toy_plugin")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index, and people of whom some are known to be members or not."""
    folder = tmp_path_factory.mktemp("documents")
    names = make_names([f"First{i % 7} Last{i}" for i in range(40)])
    build_index(folder / "i", ToyBackend(model="toy"), names).close()
    rows = ["name,path,membership,training_count"]
    for seed, (name, truth) in enumerate(
        [("First3 Last10", "member,3"), ("First0 Last7", "non_member,"), ("Some Body", ",")]
    ):
        photos = make_images(folder / name.replace(" ", "_"), 3, seed)
        rows.append(f"{name},{photos.name},{truth}")
    (photos / "broken.png").write_bytes(b"")
    (folder / "people.csv").write_text("\n".join(rows))
    return folder


@pytest.fixture
def result(world: Path) -> AuditResult:
    index = open_index(world / "i")
    return audit(index, ToyBackend(model="toy"), read_subjects(world / "people.csv"))


def validate(name: str, data: object) -> None:
    Draft202012Validator(json.loads(schemas()[f"{name}.json"])).validate(data)


SIZES = ("--sample-sizes", "1,3", "--min-images", "3", "--draws", "2")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("audit", ("audit", "i", "people.csv")),
        ("query", ("query", "i", "Some_Body", "--name", "Some Body")),
        ("query", ("query", "i", "Some_Body", "--name", "Some Body", "--top", "3")),
        ("evaluation", ("evaluate", "i", "people.csv", *SIZES)),
        ("info", ("info", "i")),
        ("verify", ("verify", "i", "--no-model")),
        ("plan", ("plan",)),
        ("plan", ("plan", "--subjects", "500", "--known", "1")),
        ("backends", ("backends",)),
    ],
)
def test_what_a_verb_prints_keeps_to_its_schema(
    name: str,
    arguments: tuple[str, ...],
    world: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(world)
    assert run_command([*arguments, "--json"], debug=True) == 0
    validate(name, json.loads(capfd.readouterr().out))


@pytest.mark.slow
def test_a_report_and_its_replay_keep_to_their_schemas(
    world: Path, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = str(tmp_path / "out")
    arguments = ["evaluate", str(world / "i"), str(world / "people.csv"), *SIZES, "--out", out]
    assert run_command(arguments, debug=True) == 0
    report: dict[str, Any] = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))
    validate("evaluation", report)
    capfd.readouterr()
    assert run_command(["replay", out, "--json"], debug=True) == 0
    validate("replay", json.loads(capfd.readouterr().out))
    report["subjects"][0]["margin"] += 1
    (tmp_path / "out" / "report.json").write_text(json.dumps(report))
    assert run_command(["replay", out, "--json"], debug=False) == 1
    replayed = json.loads(capfd.readouterr().out)
    validate("replay", replayed)
    assert len(replayed["differences"]) == 1


def test_a_damaged_index_and_a_comparison_keep_to_their_schemas(
    tmp_path: Path, world: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    toy = ToyBackend(model="toy")
    build_index(tmp_path / "i", toy, make_names(["A B", "C D"])).close()
    next((tmp_path / "i").glob("*.names.txt")).write_text("changed")
    assert run_command(["verify", str(tmp_path / "i"), "--no-model", "--json"], debug=False) == 1
    found = json.loads(capfd.readouterr().out)
    validate("verify", found)
    assert found["findings"]
    people = read_subjects(world / "people.csv")
    validate("parity", to_json(compare(toy, toy, ["A B"], JAIR2024[:2], people)))


def test_the_doctors_report_keeps_to_its_schema(capfd: pytest.CaptureFixture[str]) -> None:
    run_command(["doctor", "--json"], debug=True)
    validate("doctor", json.loads(capfd.readouterr().out))


@pytest.mark.slow
def test_the_schemas_that_are_shipped_are_those_of_the_types() -> None:
    assert {f"{name}.json" for name in DOCUMENTS} == set(schemas())
    for folder in FOLDERS:
        written = {file.name: file.read_text(encoding="utf-8") for file in folder.glob("*.json")}
        assert written == schemas(), "run: make docs"
    for text in schemas().values():
        Draft202012Validator.check_schema(json.loads(text))


def test_the_function_and_the_verb_give_one_document(
    result: AuditResult, world: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["audit", str(world / "i"), str(world / "people.csv"), "--json"], True) == 0
    assert json.loads(capfd.readouterr().out) == json.loads(json.dumps(result.to_dict()))


def test_results_are_plain_data(result: AuditResult, world: Path) -> None:
    assert pickle.loads(pickle.dumps(result)) == result  # noqa: S301
    assert replace(result, tau=2) != result
    assert from_json(AuditResult, json.loads(json.dumps(result.to_dict()))) == result
    assert len(repr(result)) < 300 and "\n" not in repr(result)
    assert all(len(repr(subject)) < 200 for subject in result.subjects)
    settings = Settings(sizes=(1, 3), min_images=3, draws=2)
    people = read_subjects(world / "people.csv")
    evaluated = evaluate(open_index(world / "i"), ToyBackend(model="toy"), people, settings)
    assert pickle.loads(pickle.dumps(evaluated)) == evaluated  # noqa: S301
    assert [s.name for s in evaluated.subjects] == [s.name for s in result.subjects]
    assert len(repr(evaluated)) < 300


def test_a_frame_has_a_row_a_person(result: AuditResult) -> None:
    pytest.importorskip("pandas")
    frame = result.to_frame()
    assert list(frame["name"]) == [subject.name for subject in result.subjects]
    assert list(frame["p_value"]) == [subject.p_value for subject in result.subjects]


def test_an_image_in_memory_is_told_by_its_name() -> None:
    told = to_json(Skipped(ImageBytes("a.png", b"no image"), "broken"))
    assert told == {"path": "a.png", "reason": "broken"}
    assert from_json(Skipped, told) == Skipped(Path("a.png"), "broken")
    assert schema(Skipped)["properties"]["path"] == {"type": "string"}


def test_without_pandas_a_frame_says_what_brings_it(
    result: AuditResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match="pandas"):
        result.to_frame()


def test_a_notebook_shows_names_as_text(result: AuditResult) -> None:
    hostile = replace(result.subjects[0], name="<script>alert(1)</script>")
    shown = replace(result, subjects=(hostile,))._repr_html_()
    assert "<script" not in shown and "&lt;script&gt;" in shown


@dataclass(frozen=True)
class Inner:
    """A part.

    Attributes:
        low, high: its ends.
    """

    low: float
    high: float | None = None


@dataclass(frozen=True)
class Whole:
    """A document."""

    parts: tuple[Inner, ...]
    pair: tuple[int, int]
    odd: bool = named("is.odd", False)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"parts": [{"low": "1"}], "pair": [1, 2]}, r"parts\[0\]\.low is '1'"),
        ({"parts": [], "pair": [1]}, "pair has 1 values, not 2"),
        ({"parts": {}, "pair": [1, 2]}, "parts is '{}'"),
        ({"parts": [], "pair": [1, True]}, r"pair\[1\] is 'True'"),
        ({"parts": [], "pair": [1, 2], "is.odd": 1}, r"is\.odd is '1'"),
        ([], "the document is '\\[\\]', not an object"),
    ],
)
def test_what_does_not_fit_is_named(data: object, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        from_json(Whole, data)


def test_records_come_back_from_json() -> None:
    whole = Whole((Inner(1.0), Inner(0.5, 2.0)), (1, 2), True)
    data = to_json(whole)
    assert data == {
        "parts": [{"low": 1.0, "high": None}, {"low": 0.5, "high": 2.0}],
        "pair": [1, 2],
        "is.odd": True,
    }
    assert from_json(Whole, data) == whole
    with pytest.raises(KeyError, match="pair"):
        from_json(Whole, {"parts": []})
    with pytest.raises(TypeError, match="set is no part of a document"):
        to_json({"a": {1}})
