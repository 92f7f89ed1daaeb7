"""Evaluations of many people: work on pairs is bounded, and the report says so."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from conftest import make_images
from toy_backend import ToyBackend

from idia_index import build_index
from idia_index.cli.main import cli
from idia_index.encode.backend import Backend
from idia_index.errors import InputError
from idia_index.evaluation import name_tests
from idia_index.evaluation.baselines import OMITTED
from idia_index.evaluation.pmi import NameScores, photos_of
from idia_index.evaluation.references import References
from idia_index.evaluation.settings import Settings
from idia_index.pipelines import recorded_results
from idia_index.pipelines.evaluate import gather
from idia_index.pipelines.report_files import write_evaluation
from idia_index.prompts.names import make_names
from idia_index.report.data import evaluation_result
from idia_index.report.page import report_html
from idia_index.search.index import Index
from idia_index.subjects.subjects import Subject

SETTINGS = Settings(sizes=(1, 2), draws=2, min_images=2)
TRUTHS = ("member", "non_member")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    names = make_names([f"Mary Person{i}" for i in range(40)])
    return build_index(tmp_path_factory.mktemp("many") / "i", ToyBackend(model="toy"), names)


@pytest.fixture
def people(tmp_path: Path) -> list[Subject]:
    return [
        Subject(
            f"Mary Person{i}",
            tuple(sorted(make_images(tmp_path / f"p{i}", 2, i).iterdir())),
            TRUTHS[i % 2],
            None,
        )
        for i in range(12)
    ]


def refuse(*_: object) -> None:
    raise AssertionError("nobody asked for baselines")


def test_baselines_are_computed_where_truth_is_known_and_a_report_asked_for(
    index: Index, toy: ToyBackend, people: list[Subject], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert gather(index, toy, people, SETTINGS).blind is not None
    monkeypatch.setattr("idia_index.pipelines.evaluate.blind_scores", refuse)
    assert gather(index, toy, people, SETTINGS, baselines=False).blind is None
    assert gather(index, toy, people[::2], SETTINGS).blind is None  # members alone
    unknown = [Subject(person.name, person.images, None, None) for person in people]
    found = gather(index, toy, unknown, SETTINGS)
    assert found.blind is None
    assert evaluation_result(found, SETTINGS).to_dict()["evaluation"]["baselines"] is None


def test_an_audit_without_a_report_computes_no_baselines(
    index: Index, people: list[Subject], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = "".join(f"{p.name},{p.images[0].parent},{p.membership}\n" for p in people)
    (tmp_path / "people.csv").write_text(f"name,path,membership\n{table}")
    monkeypatch.setattr(
        "idia_index.cli.options.load_backend_for", lambda *_, **__: Backend(ToyBackend(model="toy"))
    )
    monkeypatch.setattr("idia_index.pipelines.evaluate.blind_scores", refuse)
    arguments = ["audit", str(index.path), str(tmp_path / "people.csv"), "--json"]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 0 and json.loads(done.stdout)["metrics"]["tp"] >= 0
    with_report = CliRunner().invoke(cli, [*arguments, "--out", str(tmp_path / "out")])
    assert isinstance(with_report.exception, AssertionError)


@pytest.mark.slow
def test_more_people_than_pairs_are_kept_of_lose_those_alone(
    index: Index,
    toy: ToyBackend,
    people: list[Subject],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = evaluation_result(gather(index, toy, people, SETTINGS), SETTINGS)
    monkeypatch.setattr(name_tests, "MOST_SWAPPED", len(people) - 1)
    evidence = gather(index, toy, people, SETTINGS)
    fewer = write_evaluation(evidence, SETTINGS, tmp_path / "out")
    before, now = whole.evaluation.baselines, fewer.evaluation.baselines
    assert before is not None and now is not None
    assert before.omitted is None and before.rule is not None
    assert now.omitted == OMITTED and now.rule is None
    assert now.rows == tuple(row for row in before.rows if row.baseline != "shuffled_images")
    assert len(now.rows) == len(before.rows) - 1
    assert OMITTED in fewer.to_text() and OMITTED not in whole.to_text()
    assert OMITTED.replace("'", "&#39;") in report_html(fewer)
    again = evaluation_result(recorded_results.read_results(tmp_path / "out"), SETTINGS)
    assert again.evaluation == fewer.evaluation


@pytest.mark.slow
def test_results_are_written_if_they_can_be_read(
    index: Index,
    toy: ToyBackend,
    people: list[Subject],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    evidence = gather(index, toy, people, SETTINGS)
    write_evaluation(evidence, SETTINGS, tmp_path)
    with np.load(tmp_path / "results.npz") as stored:
        size = sum(stored[name].nbytes for name in stored.files)
    refused, enough = size - 2000, size + 20_000
    while enough - refused > 1:  # to the byte
        most = (refused + enough) // 2
        monkeypatch.setattr(recorded_results, "MAX_BYTES", most)
        try:
            recorded_results.write_results(evidence, tmp_path)
        except InputError:
            assert not (tmp_path / "results.npz").exists()
            refused = most
        else:
            recorded_results.read_results(tmp_path)
            enough = most
    assert size - 2000 < refused < enough < size + 20_000
    monkeypatch.setattr(recorded_results, "MAX_BYTES", size - 1)
    with pytest.raises(InputError, match=r"results\.npz: [\d,]+ bytes, more .* fewer people"):
        write_evaluation(evidence, SETTINGS, tmp_path)
    assert (tmp_path / "report.json").exists() and not (tmp_path / "results.npz").exists()


@pytest.mark.slow
def test_scores_of_names_take_no_array_of_people_by_people() -> None:
    random = np.random.default_rng(0)
    people, offered, dimensions = 5000, 1000, 8
    rows = random.normal(size=(2 * people + offered, dimensions)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    images, own, others = np.split(rows, [people, 2 * people])
    photos = photos_of(images, np.arange(people), people)
    references = References.among(photos, [None] * people, 0)
    trials = [references.trial(person, 1) for person in range(people)]
    tracemalloc.start()
    try:
        scores = NameScores(others[None], references.photos, 20.0)
        found = scores.of(photos, lambda _, run: own[run], trials)
        assert sum(1 for _ in found) == people
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * people * people / 3
