"""The evaluation pipeline with the toy backend, on people of known truth."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from scipy import stats
from toy_backend import ToyBackend
from toy_world import (
    CROWD,
    IMAGES,
    MEMBERS,
    NON_MEMBERS,
    SETTINGS,
    make_people,
    make_world,
    name_of,
    write_face,
)

from idia_index import audit, build_index
from idia_index.cli.evaluate import command as evaluate_command
from idia_index.cli.main import cli
from idia_index.encode.backend import Backend
from idia_index.errors import IdiaIndexError, InputError
from idia_index.evaluation.analysis import analyse, select
from idia_index.evaluation.evidence import Evidence
from idia_index.evaluation.people import p_value_summary
from idia_index.evaluation.settings import Settings
from idia_index.pipelines.evaluate import gather
from idia_index.pipelines.recorded_people import as_recorded, check_images
from idia_index.pipelines.recorded_report import read_report
from idia_index.pipelines.recorded_results import read_results
from idia_index.pipelines.replay import check_index, compare
from idia_index.pipelines.report_files import write_evaluation
from idia_index.prompts.names import make_names
from idia_index.report.data import evaluation_result
from idia_index.search.index import Index
from idia_index.subjects.subjects import Subject, read_subjects
from idia_index.support.text import numbers


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Index, Path]:
    """An index and a folder of people, shared by the tests that only read them."""
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def evidence(world: tuple[Index, Path]) -> Evidence:
    index, table = world
    people = read_subjects(table)
    return gather(index, ToyBackend(model="toy"), people, SETTINGS).from_subjects(table)


@pytest.fixture(scope="module")
def report(evidence: Evidence, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    write_evaluation(evidence, SETTINGS, folder)
    return folder


@pytest.mark.slow
def test_decisions_are_those_of_the_audit(world: tuple[Index, Path], evidence: Evidence) -> None:
    index, table = world
    plain = audit(index, ToyBackend(model="toy"), read_subjects(table))
    for mine, theirs in zip(evidence.audit.subjects, plain.subjects, strict=True):
        assert mine.counts.tolist() == [vote.count for vote in theirs.votes]
        assert mine.decision == theirs.decision


def test_measured_similarities_are_those_of_the_embeddings(
    world: tuple[Index, Path], evidence: Evidence
) -> None:
    index, table = world
    backend, measured = ToyBackend(model="toy"), evidence.measured
    for person, subject in list(enumerate(read_subjects(table)))[::9]:
        rows = Backend(backend).encode_images(subject.images)
        for template in (0, 20):
            texts = index.text_embeddings(template, np.arange(len(index)))
            table_ = rows @ texts.T
            own = int(measured.name_ids[person])
            here = measured.of(person)
            assert measured.true[template, here] == pytest.approx(table_[:, own], abs=1e-6)
            table_[:, own] = -2
            assert (measured.rivals[template, here] == table_.argmax(axis=1)).all()
            assert measured.rival[template, here] == pytest.approx(table_.max(axis=1), abs=1e-6)


def test_smaller_pools_are_searches_of_fewer_names(evidence: Evidence) -> None:
    measured = evidence.measured
    assert measured.pool_sizes.tolist() == [90, 36, 18]
    everything = MEMBERS + NON_MEMBERS + CROWD
    for size, table in zip(measured.pool_sizes, measured.pool_predictions, strict=True):
        known = table[table < everything]
        assert len(np.unique(known)) <= size + MEMBERS + NON_MEMBERS
        # Whoever is right among all candidates is right among fewer.
        true = measured.name_ids[measured.owners]
        assert (table == true)[measured.predictions == true].all()
    assert measured.pool_unknown.max() < 0.01


def test_the_attack_is_seen_and_the_checks_stay_quiet(evidence: Evidence) -> None:
    data = evaluation_result(evidence, SETTINGS).to_dict()
    assert data["warnings"] == [] and not data["evaluation"]["baselines"]["gate"]
    assert data["metrics"]["tpr"] > 0.5 and data["metrics"]["fpr"] < 0.2
    bins = [entry["tpr"]["mean"][-1] for entry in data["evaluation"]["bins"]]
    assert bins == sorted(bins) and bins[0] < bins[-1]
    low = data["evaluation"]["roc"]["margin"]["at_low_fpr"][0]
    assert not low["estimable"] and low["non_members_needed"] == 299
    summary = data["p_values"]
    assert summary["discoveries_members"] > 8 and summary["discoveries_non_members"] <= 3
    for subject in data["subjects"]:
        assert subject["smallest_p"] == 1 / (subject["controls"] + 1) <= subject["p_value"] <= 1


@pytest.mark.slow
def test_a_study_made_to_leak_fires_the_gate(world: tuple[Index, Path], tmp_path: Path) -> None:
    index, _ = world
    people = read_subjects(make_people(tmp_path, leak=True))
    leaking = gather(index, ToyBackend(model="toy"), people, SETTINGS)
    data = evaluation_result(leaking, SETTINGS).to_dict()
    assert data["evaluation"]["baselines"]["gate"]
    assert data["warnings"][0].startswith("The split leaks")
    write_evaluation(leaking, SETTINGS, tmp_path / "out")
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert page.index("The split leaks") < page.index("associates")


@pytest.mark.slow
def test_p_values_of_people_the_model_does_not_know_are_uniform(
    world: tuple[Index, Path], tmp_path: Path
) -> None:
    index, _ = world
    count = 220
    subjects = []
    for i in range(count):
        path = tmp_path / f"{i}.png"
        write_face(path, 10_000 + i, 0, 0.0)
        # Candidates and subjects are named alike, so the names are exchangeable.
        subjects.append(Subject(name_of(50_000 + i), (path,), "non_member", 0))
    settings = Settings(sizes=(1,), min_images=1)
    found = gather(index, ToyBackend(model="toy"), subjects, settings)
    assert stats.kstest(found.controls.p_values, "uniform").pvalue > 0.01
    summary = p_value_summary(found)
    assert summary.discoveries <= 2 and summary.non_members_small is not None
    assert summary.non_members_small.non_members == count


@pytest.mark.slow
def test_results_are_evaluated_again_without_model_or_index(
    evidence: Evidence, report: Path
) -> None:
    again = read_results(report)
    wanted = Settings(tau=2, sizes=(2, 4), draws=3, min_images=5, bins=(0, 5))
    assert evaluation_result(evidence, wanted) == evaluation_result(again, wanted)


def test_settings_leave_people_out_by_name_and_reason(evidence: Evidence) -> None:
    chosen, left = select(evidence, Settings(sizes=(1,), min_images=5, max_training_count=5))
    assert {entry.reason for entry in left} == {"25 training images, more than 5"}
    assert len(left) == 8 and len(chosen.audit.subjects) == MEMBERS + NON_MEMBERS - 8
    assert analyse(chosen, SETTINGS)[0].people.members == 16
    with pytest.raises(InputError, match="none of the 60 subjects is left"):
        select(evidence, Settings(sizes=(1,), min_images=6))


@pytest.mark.parametrize(
    "damage", [b"", b"PK\x03\x04", b"no zip at all"], ids=["empty", "cut", "other"]
)
def test_a_damaged_results_file_says_so(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "results.npz").write_bytes(damage)
    with pytest.raises(InputError, match=r"results\.npz: (not a results file|no such file)"):
        read_results(tmp_path)
    with pytest.raises(InputError, match=r"gone.*no such file"):
        read_results(tmp_path / "gone")


def test_a_results_file_with_a_pickle_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "results.npz", meta=np.array([{"format": 1}], dtype=object))
    with pytest.raises(InputError, match="not a results file"):
        read_results(tmp_path)


@pytest.mark.slow
def test_a_replay_holds_and_tampering_shows(
    world: tuple[Index, Path], evidence: Evidence, report: Path, tmp_path: Path
) -> None:
    index, _ = world
    recorded = read_report(report)
    check_index(recorded, index)
    assert [s.name for s in as_recorded(recorded.report).subjects] == [
        name_of(i) for i in range(60)
    ]
    found = compare(recorded, evidence)
    assert found.holds and found.exact and found.differences == ()
    data = json.loads((report / "report.json").read_text(encoding="utf-8"))
    data["subjects"][40]["inferred_member"] ^= True
    data["subjects"][2]["margin"] += 0.01
    (tmp_path / "report.json").write_text(json.dumps(data))
    changed = compare(read_report(tmp_path), evidence)
    assert not changed.holds and not changed.exact
    margin, decision = changed.differences
    assert decision.where == f"subjects[{name_of(40)}].inferred_member"
    assert margin.where == f"subjects[{name_of(2)}].margin"
    assert margin.recorded - margin.recomputed == pytest.approx(0.01)


def test_a_replay_needs_the_same_images_and_names(
    world: tuple[Index, Path], report: Path, tmp_path: Path, toy: ToyBackend
) -> None:
    recorded = read_report(report)
    other = build_index(tmp_path / "other", toy, make_names(["A B", "C D"]))
    with pytest.raises(InputError, match="names_sha256 differs from"):
        check_index(recorded, other)
    data = json.loads((report / "report.json").read_text(encoding="utf-8"))
    file = data["subjects"][0]["image_files"][0]
    data["image_sha256"][file] = "0" * 64
    (tmp_path / "report.json").write_text(json.dumps(data))
    with pytest.raises(InputError, match="has changed since"):
        check_images(read_report(tmp_path).report, tmp_path)
    (tmp_path / "report.json").write_text('{"format": "other"}')
    with pytest.raises(InputError, match="format 'other'"):
        read_report(tmp_path)


def test_the_files_of_a_report(report: Path) -> None:
    assert {path.name for path in report.iterdir()} == {
        "report.json", "subjects.csv", "curves.csv", "index.html", "results.npz", "summary.md",
        "model_card.md", "choices.json",
    }  # fmt: skip
    assert all(path.stat().st_mode & 0o077 == 0 for path in report.iterdir())
    curves = list(csv.DictReader((report / "curves.csv").read_text().splitlines()))
    groups = {(row["rate"], row["group"]) for row in curves}
    assert ("tpr", "25 training images") in groups and ("accuracy", "all") in groups
    data = json.loads((report / "report.json").read_text(encoding="utf-8"))
    tpr = [float(r["mean"]) for r in curves if (r["rate"], r["group"]) == ("tpr", "all")]
    assert tpr == data["evaluation"]["curves"]["tpr"]["mean"]
    assert len(data["image_sha256"]) == 60 * IMAGES
    json.loads((report / "report.json").read_text(), parse_constant=_no_constant)


def _no_constant(text: str) -> None:
    raise AssertionError(f"{text} is no JSON")


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> Result:
    monkeypatch.setattr(
        "idia_index.cli.options.load_backend_for", lambda *_, **__: Backend(ToyBackend(model="toy"))
    )
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


@pytest.mark.slow
def test_the_command_line(
    world: tuple[Index, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, table = world
    sizes = ("--sample-sizes", "1,3,..,5", "--min-images", 5, "--draws", 2)
    done = run(monkeypatch, "evaluate", index.path, table, *sizes, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "true positive rate" in done.output and "not estimable" in done.output
    again = run(monkeypatch, "evaluate", "--from", tmp_path / "out", *sizes, "--json")
    data = json.loads(again.stdout)
    assert data["format"] == "idia-index/evaluation/3"
    assert data["evaluation"]["curves"]["sizes"] == [1, 3, 5]
    held = run(monkeypatch, "replay", tmp_path / "out", "--json")
    assert held.exit_code == 0 and json.loads(held.stdout)["exact"], held.output
    both = run(monkeypatch, "evaluate", index.path, table, "--from", tmp_path / "out")
    assert isinstance(both.exception, InputError)
    nobody = run(monkeypatch, "evaluate", index.path, table)
    assert "nobody has more than 5 images" in str(nobody.exception)


@pytest.mark.slow
def test_a_replay_that_does_not_hold_fails(
    world: tuple[Index, Path], report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = json.loads((report / "report.json").read_text(encoding="utf-8"))
    data["subjects"][0]["inferred_member"] ^= True
    (tmp_path / "report.json").write_text(json.dumps(data))
    done = run(monkeypatch, "replay", tmp_path / "report.json")
    assert isinstance(done.exception, IdiaIndexError) and done.exit_code == 1
    assert "does NOT hold" in done.output


@pytest.mark.parametrize("option", ["bins", "sample_sizes"])
def test_the_lists_that_help_shows_are_taken(option: str) -> None:
    (found,) = (p for p in evaluate_command.params if p.name == option)
    shown = found.metavar or found.default
    assert len(numbers(str(shown), f"--{option}")) > 3


@pytest.mark.slow
def test_an_audit_without_known_truth_has_p_values(
    world: tuple[Index, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, _ = world
    table = make_people(tmp_path / "unknown", known=False)
    done = run(monkeypatch, "audit", index.path, table, "--out", tmp_path / "out", "--json")
    data = json.loads(done.stdout)
    assert data["format"] == "idia-index/audit/1" and data["metrics"] is None
    for subject in data["subjects"]:
        assert 0 < subject["control_p_value"] <= min(subject["p_value"], subject["q_value"])
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["evaluation"]["roc"] is None
    assert report["evaluation"]["curves"]["tpr"] is None


def test_lists_of_numbers() -> None:
    assert numbers("1,3,..,30", "--x") == (*range(1, 30, 2), 30)
    assert numbers("0, 25,..,100", "--x") == (0, 25, 50, 75, 100)
    assert numbers("5", "--x") == (5,)
    for wrong in ("", "a", "1,..,5", "..", "1,2,..", "3,1,..,9", "1,2,..,999999999", "-1"):
        with pytest.raises(InputError, match="--x"):
            numbers(wrong, "--x")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"sizes": (3, 1)}, "sample sizes"),
        ({"sizes": (1, 40)}, "sample size 40"),
        ({"draws": 0}, "draws 0"),
        ({"seed": -1}, "seed -1"),
    ],
)
def test_settings_that_make_no_sense(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        Settings(**wrong)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("power", "too_many"), [(1.0, False), (1.25, False), (0.4, False), (3.0, True)]
)
def test_too_many_small_p_values_of_non_members_are_warned_of(
    evidence: Evidence, tmp_path: Path, power: float, too_many: bool
) -> None:
    p_values = evidence.controls.p_values.copy()
    others = evidence.truth("non_member")
    p_values[others] = ((np.arange(len(others)) + 0.5) / len(others)) ** power
    changed = replace(
        evidence,
        controls=replace(
            evidence.controls,
            control_p_values=p_values,
            name_fixed_p_values=np.full(len(p_values), np.nan),
        ),
    )
    result = write_evaluation(changed, SETTINGS, tmp_path)
    small = int((p_values[others] <= 0.05).sum())
    sizes = evidence.controls.counts[others] + 1
    expected = float((np.floor(sizes / 20 + 1e-9) / sizes).sum())
    said = f"{small} of 36 are at most 0.05, {expected:.3g} expected"
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    text = result.to_text()
    assert said in page and said in text
    warned = [warning for warning in result.warnings if said in warning]
    assert (stats.binom.sf(small - 1, 36, expected / 36) < 0.05) == too_many
    if too_many:
        assert len(warned) == 1 and "One such test in twenty warns by chance" in warned[0]
        assert text.startswith(f"WARNING: {warned[0]}") and text.count(said) == 1
        assert page.index(said) < page.index("associates")
    else:
        assert not warned and "than expected by chance" in text
