"""Replay: everything in a report is reproduced, and a falsified claim shows."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from conftest import make_images
from falsified_claims import FALSIFIED, WHO, Report, someone
from toy_backend import ToyBackend
from toy_world import MEMBERS, NON_MEMBERS, SETTINGS, make_world, name_of

from idia_index import build_index
from idia_index.cli.main import cli
from idia_index.encode.backend import Backend
from idia_index.encode.image_cache import ImageCache
from idia_index.errors import IdiaIndexError, InputError
from idia_index.evaluation.evidence import Evidence
from idia_index.evaluation.settings import Settings
from idia_index.photos.crops import read_crop
from idia_index.pipelines.evaluate import gather
from idia_index.pipelines.recorded_report import read_report
from idia_index.pipelines.recorded_results import read_results, write_results
from idia_index.pipelines.replay import NOT_COMPARED, compare
from idia_index.pipelines.report_files import write_evaluation
from idia_index.pipelines.rounding import SIMILARITY, settle
from idia_index.prompts.names import make_names
from idia_index.report.data import evaluation_result
from idia_index.search.index import Index
from idia_index.subjects.records import cropped
from idia_index.subjects.subjects import read_subjects


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Index, Path]:
    """An index, and a CSV of people whose truth is known."""
    return make_world(tmp_path_factory.mktemp("replayed"))


@pytest.fixture(scope="module")
def evidence(world: tuple[Index, Path], tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    index, table = world
    measured = gather(index, ToyBackend(model="toy"), read_subjects(table), SETTINGS)
    folder = tmp_path_factory.mktemp("written")
    written = write_evaluation(measured.from_subjects(table), SETTINGS, folder)
    known = someone(written.to_dict())
    assert known["correct_prompts"] > 2 and known["membership"] == "member"
    return read_results(folder)


# With their evidence, so that nothing else comes to have its id.
_reports: dict[tuple[int, Settings], tuple[Evidence, str]] = {}


def write(
    evidence: Evidence,
    folder: Path,
    change: Callable[[Report], object] = id,
    settings: Settings = SETTINGS,
) -> Path:
    """What a replay reads of a report of the evidence, changed, in a folder."""
    key = (id(evidence), settings)
    if key not in _reports:
        made = json.dumps(evaluation_result(evidence, settings).to_dict())
        _reports[key] = (evidence, made)
    data = json.loads(_reports[key][1])
    change(data)
    folder.mkdir(exist_ok=True)
    (folder / "report.json").write_text(json.dumps(data))
    write_results(evidence, folder)
    return folder / "report.json"


def run(patch: pytest.MonkeyPatch, *arguments: object) -> Result:
    patch.setattr(
        "idia_index.cli.options.load_backend_for", lambda *_, **__: Backend(ToyBackend(model="toy"))
    )
    return CliRunner().invoke(cli, ["replay", *map(str, arguments)])


def found_by(result: Result) -> set[str]:
    data = json.loads(result.stdout)
    assert not data["holds"] and not data["exact"]
    assert isinstance(result.exception, IdiaIndexError) and result.exit_code == 1
    assert not isinstance(result.exception, InputError)
    return {difference["where"] for difference in data["differences"]}


@pytest.mark.slow
@pytest.mark.parametrize("what", FALSIFIED)
def test_a_falsified_claim_is_named(evidence: Evidence, tmp_path: Path, what: str) -> None:
    """Against the evidence as it was; the verb, which makes it again, has all of them below."""
    change, wanted = FALSIFIED[what]
    compared = compare(read_report(write(evidence, tmp_path, change)), evidence)
    assert not compared.holds and not compared.exact
    assert {difference.where for difference in compared.differences} == wanted


@pytest.mark.slow
def test_a_claim_that_is_falsified_is_named_by_the_verb(
    evidence: Evidence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change, wanted = FALSIFIED["false positives"]
    report = write(evidence, tmp_path, change)
    assert found_by(run(monkeypatch, report, "--json")) == wanted


@pytest.mark.slow
def test_all_falsified_claims_are_listed_for_readers(
    evidence: Evidence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = write(evidence, tmp_path, lambda d: [change(d) for change, _ in FALSIFIED.values()])
    told = run(monkeypatch, report)
    assert told.exit_code == 1 and "does NOT hold" in told.output
    assert all(where in told.output for _, wanted in FALSIFIED.values() for where in wanted)


@pytest.mark.slow
def test_removing_all_p_values_is_named(
    evidence: Evidence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = write(evidence, tmp_path, lambda d: d.update(p_values={}))
    wanted = {
        f"p_values.{key}" for key in evaluation_result(evidence, SETTINGS).to_dict()["p_values"]
    }
    assert found_by(run(monkeypatch, report, "--json")) == wanted


@pytest.mark.slow
def test_no_rival_is_named_to_readers(
    evidence: Evidence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JSON keeps every winner; the terminal names the person who was asked for alone."""

    def change(data: Report) -> None:
        for vote in data["subjects"][-1]["votes"]:
            vote["winner"] = "Some Body"
        someone(data)["votes"][4]["winner"] = "Some Body"
        del data["subjects"][-2]["votes"]

    winners = evidence.audit.subjects[-1].winners.tolist()
    rivals = {evidence.audit.index.name(winner) for winner in winners if winner >= 0}
    report = write(evidence, tmp_path, change)
    told = run(monkeypatch, report).output
    assert rivals and not any(rival in told for rival in rivals - {name_of(59)})
    assert '"Some Body", recomputed "another name"' in told
    assert f'"Some Body", recomputed "{name_of(5)}"' in told
    assert ".votes: (not there), recomputed 21 values" in told
    assert rivals & {
        each["recomputed"] for each in json.loads(run(monkeypatch, report, "--json").stdout)[
            "differences"
        ] if each["what"] == "subjects.votes.winner"
    }  # fmt: skip


def leaves(value: Any, what: str = "") -> Iterator[tuple[str, Any, Any]]:
    """The first value of each kind: its kind, the container, and the key."""
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    for key, below in items:
        kind = what if isinstance(value, list) else f"{what}.{key}" if what else key
        if isinstance(below, dict | list):
            yield from leaves(below, kind)
        else:
            yield kind, value, key


@pytest.mark.slow
def test_no_value_of_a_report_goes_unread(evidence: Evidence, tmp_path: Path) -> None:
    """One value of every kind is falsified, all at once."""
    report = write(evidence, tmp_path)
    data = json.loads(report.read_text())
    first = {}
    for kind, container, key in leaves(data):
        if not kind.startswith(("evaluation.settings", "image_sha256")) and kind != "format":
            first.setdefault(kind, (container, key))
    names = {"subjects.name", "subjects.person_id"}  # the place of all that is below it
    for kind, (container, key) in first.items():
        if kind not in names:
            container[key] = "falsified"
    recorded = replace(read_report(report), data=data)
    found = {difference.what for difference in compare(recorded, evidence).differences}
    left_aside = {kind for kind in first if kind.startswith(NOT_COMPARED)}
    assert found == set(first) - left_aside - names
    assert len(found) > 100 and left_aside == {
        kind for kind in first if kind.startswith(("index.versions.", "replay.versions."))
    } | {
        "index.path", "index.format", "index.shards", "index.bytes", "index.shard_names",
        "index.waiting_for_compact", "backend.name", "backend.model", "backend.device",
        "backend.service",
    }  # fmt: skip


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
def test_a_number_that_is_none_is_damage(
    evidence: Evidence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: str
) -> None:
    report = write(evidence, tmp_path, lambda d: d.update(candidates="here"))
    report.write_text(report.read_text().replace('"here"', number))
    told = run(monkeypatch, report, "--json")
    assert isinstance(told.exception, InputError)
    assert f"report.json: damaged report (ValueError: '{number} is no" in str(told.exception)


@pytest.mark.slow
def test_whoever_is_kept_quiet_is_missed(
    evidence: Evidence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report agrees with itself, and with the results file beside it."""
    others = np.delete(np.arange(MEMBERS + NON_MEMBERS), 5)
    report = write(evidence.take(others), tmp_path)
    assert WHO in found_by(run(monkeypatch, report, "--json"))
    told = json.loads(report.read_text())
    for reason in ("3 images, fewer than 5", "5 images, fewer than 5", "no images"):
        told["left_out"] = [{"name": name_of(5), "reason": reason}]
        report.write_text(json.dumps(told))
        assert WHO in found_by(run(monkeypatch, report, "--json"))


@pytest.mark.slow
def test_other_truth_than_the_subjects_file_has(
    world: tuple[Index, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Again the report agrees with itself; the file says otherwise, then is gone."""
    index, table = world
    people = [replace(p, membership="non_member") for p in read_subjects(table)[:9]]
    people += read_subjects(table)[9:]
    mine = tmp_path / "mine.csv"
    head, *rows = table.read_text().splitlines()
    mine.write_text("\n".join([head, *(r.replace(",p", f",{table.parent}/p") for r in rows)]))
    falsified = gather(index, ToyBackend(model="toy"), people, SETTINGS)
    report = write(falsified.from_subjects(mine), tmp_path / "out")
    found = found_by(run(monkeypatch, report, "--json"))
    assert {f"subjects[{name_of(i)}].membership" for i in range(9)} < found
    assert {"metrics.tp", "metrics.fp", "evaluation.people.members"} < found
    mine.unlink()
    told = run(monkeypatch, report)
    assert told.exit_code == 0 and "NOT compared" in told.output


@pytest.mark.slow
def test_people_whom_the_settings_leave_out_are_no_difference(
    world: tuple[Index, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some are left out when images are encoded, others later, and both ways hold."""
    index, table = world
    first = replace(SETTINGS, max_training_count=5)
    measured = gather(index, ToyBackend(model="toy"), read_subjects(table), first)
    measured = measured.from_subjects(table)
    for settings in (first, replace(SETTINGS, max_training_count=1), SETTINGS):
        write(measured, tmp_path / "out", settings=settings)
        for source_is_there in (True, False):
            if not source_is_there:
                table.rename(table.with_suffix(".away"))
            try:
                told = run(monkeypatch, tmp_path / "out", "--json")
            finally:
                if not source_is_there:
                    table.with_suffix(".away").rename(table)
            data = json.loads(told.stdout)
            assert data["exact"], data["differences"][:3]
            assert (data["source"] is not None) == source_is_there


def test_what_the_index_remembers_of_images_is_not_believed(
    tmp_path: Path, toy: ToyBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = build_index(tmp_path / "i", toy, make_names([name_of(i) for i in range(9)]))
    for i in range(2):
        make_images(tmp_path / "people" / name_of(i).replace(" ", "_"), 2, seed=i)
    people = read_subjects(tmp_path / "people")
    assert people[1].name == name_of(0)
    cache = ImageCache(index.path, toy.fingerprint, f"{toy.name} on {toy.device}")
    name = index.text_embeddings(0, np.array([0]))
    for path in people[1].images:
        key = cache.key(hashlib.sha256(path.read_bytes()).hexdigest())
        cache.put([key], name)  # as if the image looked like nothing but its name
    settings = Settings(sizes=(1,), min_images=1)
    found = gather(index, toy, people, settings)
    assert found.measured.true[0, 2:] == pytest.approx(1)
    write(found.from_subjects(tmp_path / "people"), tmp_path / "out", settings=settings)
    wrong = found_by(run(monkeypatch, tmp_path / "out", "--json"))
    assert f"subjects[{name_of(0)}].margin" in wrong


@pytest.mark.slow
def test_relative_paths_and_files_left_out(
    world: tuple[Index, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, _ = world
    for i in range(3):
        folder = make_images(tmp_path / "people" / name_of(i).replace(" ", "_"), 2 + i)
        (folder / "notes.txt").write_text("no image")
        (folder / "bad.png").write_text("no image either")
    monkeypatch.chdir(tmp_path)
    settings = Settings(sizes=(1,), min_images=1)
    found = gather(index, ToyBackend(model="toy"), read_subjects("people"), settings)
    write(found.from_subjects(Path("people")), Path("out"), settings=settings)
    for here in (tmp_path, tmp_path / "people"):  # and from another folder than it was made in
        monkeypatch.chdir(here)
        told = run(monkeypatch, tmp_path / "out", "--json")
        assert json.loads(told.stdout)["exact"], told.output
    monkeypatch.chdir(tmp_path)
    make_images(tmp_path / "people" / "New_Person", 2)
    assert "subjects[New Person]" in found_by(run(monkeypatch, "out", "--json"))


def shifted(evidence: Evidence, shift: float) -> Evidence:
    """The evidence as if every true name had been that much closer."""
    true = (evidence.measured.true + np.float32(shift)).astype(np.float32)
    return replace(evidence, measured=replace(evidence.measured, true=true))


@pytest.mark.slow
def test_rounding_is_no_difference_and_more_than_rounding_is(
    evidence: Evidence, tmp_path: Path
) -> None:
    for shift, holds in ((0.7 * SIMILARITY, True), (3 * SIMILARITY, False)):
        before = shifted(evidence, shift)
        recorded = read_report(write(before, tmp_path))
        assert not compare(recorded, evidence).holds
        found = compare(recorded, evidence, before)
        assert (found.holds, found.exact) == (holds, False)
        assert (found.rounded_otherwise > 0) == holds


def test_only_predictions_in_doubt_may_be_turned(evidence: Evidence) -> None:
    measured = evidence.measured
    close = np.zeros(measured.top.shape, np.bool_)
    close[3, ::7] = True
    second = np.where(close, measured.top - np.float32(SIMILARITY), measured.second)
    true = np.where(measured.predictions == measured.name_ids[measured.owners],
                    measured.top, np.minimum(measured.true, measured.top - 0.01))  # fmt: skip
    now = replace(evidence, measured=replace(
        measured, second=second.astype(np.float32), true=true.astype(np.float32)
    ))  # fmt: skip
    nobody = len(evidence.audit.index) - 1
    turned = np.full_like(measured.predictions, nobody)
    before = replace(now, measured=replace(now.measured, predictions=turned))
    settled = settle(now, before).evidence
    doubted = now.measured.top - now.measured.second <= 2 * SIMILARITY
    assert doubted.sum() >= close.sum()
    assert np.array_equal(
        settled.measured.predictions, np.where(doubted, nobody, measured.predictions)
    )
    # The true name may have won only where it came close, whoever was second.
    own = np.broadcast_to(measured.name_ids[measured.owners], turned.shape)
    before = replace(now, measured=replace(now.measured, predictions=own.copy()))
    assert np.array_equal(settle(now, before).evidence.measured.predictions, measured.predictions)


@pytest.mark.parametrize(
    ("p_values", "among"),
    [("control_p_values", "counts"), ("name_fixed_p_values", "references")],
)
def test_a_p_value_may_move_by_one_rank(evidence: Evidence, p_values: str, among: str) -> None:
    controls = evidence.controls
    own, step = getattr(controls, p_values), 1 / (getattr(controls, among) + 1)
    for moved, taken in ((1, True), (2, False), (0.4, False)):
        before = replace(evidence, controls=replace(controls, **{p_values: own + moved * step}))
        found = getattr(settle(evidence, before).evidence.controls, p_values)
        assert np.array_equal(found, own + moved * step if taken else own)
    below = replace(evidence, controls=replace(controls, **{p_values: 0 * own}))
    assert np.array_equal(getattr(settle(evidence, below).evidence.controls, p_values), own)


def test_results_of_other_people_are_not_asked(evidence: Evidence) -> None:
    order = np.arange(MEMBERS + NON_MEMBERS)[::-1]
    for other in (evidence.take(order), evidence.take(order[1:])):
        settled = settle(evidence, shifted(other, 1e-6))
        assert settled.taken == 0 and settled.evidence is evidence


@pytest.mark.slow
def test_photos_are_cropped_again(
    world: tuple[Index, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, table = world
    people = cropped(read_subjects(table), read_crop("centre"))
    measured = gather(index, ToyBackend(model="toy"), people, SETTINGS).from_subjects(table)
    report = write(measured, tmp_path)
    assert json.loads(run(monkeypatch, report, "--json").stdout)["exact"]
    for crop, said in (
        ("face, margin 0.4, other 9", "but here by|needs the package"),
        ("boxes of b.csv, SHA-256 0", "cannot be repeated"),
    ):
        report = write(measured, tmp_path, lambda d, crop=crop: d["backend"].update(crop=crop))
        assert re.search(said, str(run(monkeypatch, report).exception))
