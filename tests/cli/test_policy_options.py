"""`--fail-on` of audit and evaluate: exit codes, messages, files."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from document_places import check_numbers_have_places
from toy_world import make_world

from idia_index import AuditResult, EvaluationResult
from idia_index.cli.main import run as run_command

pytestmark = pytest.mark.usefixtures("toy_plugin")


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    index, people = make_world(tmp_path_factory.mktemp("world"))
    return index.path, people


def run(*arguments: object) -> int:
    return run_command([str(argument) for argument in arguments], False)


@pytest.mark.slow
def test_an_audit_fails_where_a_number_is_as_the_rule_says(
    paths: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("audit", *paths, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    check_numbers_have_places(document, AuditResult)
    metrics = document["metrics"]
    rule = f"metrics.tp<{metrics['tp'] + 1}"
    assert run("audit", *paths, "--fail-on", rule, "--junit", tmp_path / "j.xml") == 3
    out, err = capsys.readouterr()
    assert f"1 rule of 1 failed: {rule}: the value is {metrics['tp']}" in err.splitlines()[-1]
    assert "subject" in out  # what was found is told before
    assert ElementTree.parse(tmp_path / "j.xml").getroot()[0].get("name") == "idia-index audit"
    assert run("audit", *paths, "--fail-on", f"metrics.tp>{metrics['tp']}") == 0
    assert f"metrics.tp>{metrics['tp']}" in capsys.readouterr().err


@pytest.mark.slow
def test_an_evaluation_too_and_a_bad_rule_is_said_before_any_work(
    paths: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ("evaluate", *paths, "--min-images", 5, "--sample-sizes", "1,5", "--draws", 2)
    rules = ("--fail-on", "evaluation.roc.margin.auc<1.1", "--fail-on", "metrics.fpr>99%")
    assert run(*common, *rules, "--sarif", tmp_path / "s.json", "--out", tmp_path / "o") == 3
    assert "1 rule of 2 failed: evaluation.roc.margin.auc<1.1" in capsys.readouterr().err
    evaluated = json.loads((tmp_path / "o" / "report.json").read_text())
    check_numbers_have_places(evaluated, EvaluationResult)
    run_of = json.loads((tmp_path / "s.json").read_text())["runs"][0]
    place = run_of["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert place.endswith("people.csv")
    assert run(*common, "--fail-on", "metrics.fpr>>1") == 2
    out, err = capsys.readouterr()
    assert out == "" and "--fail-on 'metrics.fpr>>1'" in err and len(err.splitlines()) == 1


@pytest.mark.parametrize(
    "verb,rule,nearest",
    [
        ("audit", "metrics.tprr>0", "metrics.tpr"),
        ("evaluate", "p_values.discovery>0", "p_values.discoveries"),
        ("compare", "forget.still_asociated>0", "forget.still_associated"),
        ("canary audit", "epsilon>0", "epsilon_lower_bound"),
    ],
)
def test_a_wrong_place_is_refused_before_any_file_is_looked_for(
    verb: str, rule: str, nearest: str, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = ["no-such-model"] * (2 if verb == "compare" else 1) + ["no-such-folder"]
    assert run(*verb.split(), *paths, "--fail-on", rule) == 2
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 1
    assert f"--fail-on '{rule}': there is no number" in err and nearest in err


@pytest.mark.parametrize("option", ["--junit", "--sarif", "--out"])
def test_what_cannot_be_written_is_refused_before_anything_is_looked_for(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], paths: tuple[Path, Path]
) -> None:
    (tmp_path / "file").write_text("mine")
    index = paths[0] if option == "--out" else "no-such-index"
    assert run("audit", index, paths[1], option, tmp_path / "file" / "x") == 2
    out, err = capsys.readouterr()
    assert out == "" and f"{tmp_path / 'file' / 'x'}: cannot be written" in err.splitlines()[-1]
