"""Studies of several models, end to end: results, reports, and what is not repeated."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner
from conftest import make_images
from forked import command
from own_study import write_study
from pickled_engine import PickledEngine
from small_index import below
from toy_backend import ToyBackend

from idia_index.cli.documents import schemas
from idia_index.cli.main import cli
from idia_index.encode.backend import Backend
from idia_index.errors import InputError
from idia_index.registry import load_backend
from idia_index.report.studies.documents import StudyResults
from idia_index.study import ONNX_DIR
from idia_index.subjects.subjects import MEMBER, NON_MEMBER
from idia_index.support.documents import from_json, to_json

Study = Callable[..., Any]


@pytest.fixture
def study(tmp_path: Path, toy_plugin: None) -> Study:
    """Runs `study` on a small one of one's own, with the toy backend."""
    for person in ("Jane_Doe", "John_Roe", "Other_One"):
        make_images(tmp_path / "faces" / person, 3)

    def run(*options: str, **changes: Any) -> Any:
        file = write_study(tmp_path, **changes)
        arguments = ["study", str(file), "--images", str(tmp_path / "faces"), "--backend", "toy",
                     "--out", str(tmp_path / "o"), *options]  # fmt: skip
        return CliRunner().invoke(cli, arguments)

    return run


@pytest.mark.slow
def test_several_models_make_one_report(tmp_path: Path, study: Study) -> None:
    done = study("--model", "one=toy", "--model", "two=toy", "--json")
    assert done.exit_code == 0, done.output
    data = json.loads(done.stdout)
    assert data == json.loads((tmp_path / "o" / "report" / "report.json").read_text())
    assert [m["label"] for m in data["models"]] == ["one", "two"]
    assert data["candidates"]["people"] == 3 and data["candidates"]["total"] == 11
    assert data["candidates"]["draw"]["n"] == 8 and data["others"] == ["Other One"]
    assert data["warnings"][0].startswith("Activation as trained")
    one = json.loads((tmp_path / "o" / data["models"][0]["report"]).read_text())
    assert one["warnings"][0] == data["warnings"][0] and one["candidates"] == 11
    assert one["index"]["pool"]["algorithm"] == "jair2024 names/1"
    assert one["evaluation"]["curves"] == data["models"][0]["curves"]
    page = (tmp_path / "o" / "report" / "index.html").read_text(encoding="utf-8")
    assert page.index("Activation as trained") < page.index("<h2>Models</h2>")
    for model in data["models"]:
        own = tmp_path / "o" / "report" / ".." / "models" / model["label"] / "report" / "index.html"
        assert f'href="../models/{model["label"]}/report/index.html"' in page and own.is_file()
    check = jsonschema.Draft202012Validator(json.loads(schemas()["study.json"]))
    check.validate(data)
    assert to_json(from_json(StudyResults, data)) == data
    # Rates, heat map of each model; figure 5 and the histogram of both.
    drawn = page.count("data:image/svg+xml") if "Tables only" not in page else 6
    assert drawn == 6 and "\u00b1" in page
    bins = [(b["low"], b["high"], b["people"], b["evaluated"]) for b in data["training_counts"]]
    assert bins == [(0, 2, 1, 1), (2, 4, 1, 1), (4, None, 0, 0)]


@pytest.mark.slow
def test_models_done_by_workers_make_the_same_files(
    tmp_path: Path, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = ("--model", "one=toy", "--model", "bad=toy3", "--model", "two=toy2")

    def load(model: str, backend: str, **options: Any) -> Any:
        if model == "toy3":
            raise InputError("model toy3: no such model")
        return load_backend(backend, model=model, **options)

    monkeypatch.setattr("idia_index.cli.study.load_model", load)
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # drawing takes longer than all else
    assert study(*models).exit_code == 1
    (tmp_path / "o").rename(tmp_path / "here")
    engine = PickledEngine()
    monkeypatch.setattr("idia_index.cli.options.load_engine", lambda *_, **__: engine)
    assert study(*models).exit_code == 1
    assert engine.inputs == 3  # a model each, and nothing else went to the engine
    assert below(tmp_path / "o") == below(tmp_path / "here")
    again = study("--model", "one=toy", "--model", "two=toy2", "--json")
    assert [m["again"] for m in json.loads(again.stdout)["models"]] == [True, True]
    assert engine.inputs == 3
    refused = study(*models, "--send-texts-to", "localhost")
    assert "a service can be called only from this machine" in str(refused.exception)


def people_of(folder: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """What the results of a study say of each person, by model and key."""
    data = json.loads((folder / "o" / "report" / "report.json").read_text(encoding="utf-8"))
    models = {model["label"]: model["people"] for model in data["models"]}
    return {label: {each["key"]: each for each in people} for label, people in models.items()}


@pytest.mark.slow
def test_results_hold_what_a_comparison_of_two_models_takes(tmp_path: Path, study: Study) -> None:
    """Of each person and model the scores, and keys that other models and folders share."""
    models = ("--model", "one=toy", "--model", "two=toy2")
    assert study(*models).exit_code == 0
    found = people_of(tmp_path)
    for label, people in found.items():
        folder = tmp_path / "o" / "models" / label
        assert (folder / "study.idia" / "manifest.json").is_file()
        report = json.loads((folder / "report" / "report.json").read_text(encoding="utf-8"))
        assert [each["name"] for each in people.values()] == ["Jane Doe", "John Roe"]
        for subject in report["subjects"]:
            person = people[subject["name"].lower()]
            for value in ("membership", "training_count", "images", "correct_prompts",
                          "inferred_member", "margin", "p_value"):  # fmt: skip
                assert person[value] == subject[value], value
            assert person["margin"] is not None
            photos = sorted((tmp_path / "faces" / subject["name"].replace(" ", "_")).iterdir())
            digests = "".join(sha256(photo.read_bytes()).hexdigest() for photo in photos)
            assert person["photos_sha256"] == sha256(digests.encode()).hexdigest()
    one, two = found.values()
    assert list(one) == list(two) == ["jane doe", "john roe"]
    # The same photos in folders of another name, and one photo more: keys stay, photos tell.
    (tmp_path / "faces" / "Jane_Doe").rename(tmp_path / "faces" / "jane_DOE")
    make_images(tmp_path / "faces" / "John_Roe", 4)
    assert study(*models).exit_code == 0
    again = people_of(tmp_path)["one"]
    assert again.keys() == one.keys() and again["jane doe"] == one["jane doe"]
    assert again["john roe"]["photos_sha256"] != one["john roe"]["photos_sha256"]


@pytest.mark.slow
def test_finished_models_are_not_run_again(
    tmp_path: Path, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert study("--model", "one=toy").exit_code == 0
    loaded: list[str] = []

    def load(model: str, backend: str, **options: Any) -> Any:
        loaded.append(model)
        return load_backend(backend, model=model, **options)

    monkeypatch.setattr("idia_index.cli.study.load_model", load)
    again = study("--model", "one=toy", "--model", "two=toy2", "--json")
    assert loaded == ["toy2"], again.output
    assert [m["again"] for m in json.loads(again.stdout)["models"]] == [True, False]
    make_images(tmp_path / "faces" / "Jane_Doe", 4)  # more photos: everything is measured again
    assert study("--model", "one=toy", "--model", "two=toy2").exit_code == 0
    assert loaded == ["toy2", "toy", "toy2"]


@pytest.mark.slow
def test_a_killed_study_runs_the_rest_alone(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    file = write_study(tmp_path)
    arguments = ["study", str(file), "--dry-run", "--dry-images", "2", "--backend", "onnx",
                 "--model", f"a={ONNX_DIR}", "--model", f"b={ONNX_DIR}",
                 "--out", str(tmp_path / "o"), "--json"]  # fmt: skip
    done = tmp_path / "o" / "models" / "a" / "done.json"
    first = command(arguments)
    while not done.exists() and first.is_alive():
        time.sleep(0.01)
    first.kill()
    first.join()
    assert first.exitcode == -9 and not (done.parents[1] / "b" / "done.json").exists()
    before = (done.parent / "report" / "report.json").stat().st_mtime_ns
    again = CliRunner().invoke(cli, arguments)
    models = json.loads(again.stdout)["models"]
    assert [(m["label"], m["again"]) for m in models] == [("a", True), ("b", False)]
    assert (done.parent / "report" / "report.json").stat().st_mtime_ns == before
    assert models[0]["curves"] == models[1]["curves"]


@pytest.mark.parametrize("activation", ["as-published", "as-trained"])
def test_the_activation_reaches_the_backend(
    tmp_path: Path, study: Study, monkeypatch: pytest.MonkeyPatch, activation: str
) -> None:
    told: list[dict[str, Any]] = []

    def load(model: str, backend: str, **options: Any) -> Any:
        told.append(options)
        raise InputError("enough")

    monkeypatch.setattr("idia_index.cli.study.load_model", load)
    folder = f"local-dir:{tmp_path}"
    study("--backend", "open_clip", "--model", f"x={folder}", "--activation", activation)
    allowed = {"allow_activation_mismatch": True} if activation == "as-published" else {}
    (options,) = told
    assert {key: options[key] for key in options if key != "session"} == {"device": None, **allowed}


@pytest.mark.slow
def test_a_model_that_fails_does_not_end_the_others(
    tmp_path: Path, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(model: str, backend: str, **options: Any) -> Any:
        if model == "not-there":
            raise InputError("model not-there: no such model")
        return load_backend(backend, model=model, **options)

    monkeypatch.setattr("idia_index.cli.study.load_model", load)
    done = study("--model", "bad=not-there", "--model", "one=toy", "--json")
    assert done.exit_code == 1
    data = json.loads(done.stdout)
    assert [m["label"] for m in data["models"]] == ["one"]
    assert data["failed"][0]["label"] == "bad" and data["failed"][0]["error"].endswith(
        "no such model"
    )


@pytest.mark.slow
def test_checkpoints_count_training_images(study: Study) -> None:
    done = study("--model", "75=toy", "--model", "x:5=toy", "--json", checkpoints=True)
    data = json.loads(done.stdout)
    assert [(m["group"], m["training_count"]) for m in data["models"]] == [("", 75), ("x", 5)]
    assert [b["low"] for b in data["models"][0]["bins"]] == [4]


@pytest.mark.slow
def test_a_dry_run_goes_from_end_to_end_and_says_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("idia_index.cli.study.study_backend", lambda: ToyBackend(model="toy"))
    arguments = ["study", "cc3m", "--dry-run", "--dry-images", "2", "--out", str(tmp_path / "o")]
    done = CliRunner().invoke(cli, [*arguments, "--json"])
    assert done.exit_code == 0, done.output
    data = json.loads(done.stdout)
    assert data["warnings"][0].startswith("Dry run: the portraits were generated")
    assert data["warnings"][1].startswith("The demo's model knows neither")
    assert data["people"]["evaluated"] == 200 and data["candidates"]["people"] == 530
    wrong = CliRunner().invoke(cli, ["study", "cc3m", "--out", str(tmp_path / "o")])
    assert isinstance(wrong.exception, InputError)


@pytest.mark.slow
def test_reports_of_a_study_keep_its_warnings_and_its_truth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("idia_index.cli.study.study_backend", lambda: ToyBackend(model="toy"))
    monkeypatch.setattr(
        "idia_index.cli.options.load_backend_for", lambda *_, **__: Backend(ToyBackend(model="toy"))
    )
    people = "".join(f"Ann {n},{MEMBER if n % 2 else NON_MEMBER},{n % 2}\n" for n in range(12))
    file = write_study(tmp_path, caution="Few people.")
    (tmp_path / "people.csv").write_text(f"name,membership,training_count\n{people}")
    out, run = str(tmp_path / "o"), CliRunner().invoke
    report = tmp_path / "o" / "models" / "demo" / "report"
    assert run(cli, ["study", str(file), "--dry-run", "--dry-images", "2", "--out", out]).output
    again = run(cli, ["evaluate", "--from", str(report), "--json", "--min-images", "2",
                      "--sample-sizes", "1"])  # fmt: skip
    warnings = json.loads(again.stdout)["warnings"]
    assert warnings[0].startswith("Dry run") and warnings[3] == "Few people."
    held = run(cli, ["replay", str(report), "--json"])
    assert json.loads(held.stdout)["exact"], held.output
    for change, where in (
        (lambda d: d["subjects"][7].update(membership="non_member"), "subjects[{}].membership"),
        (lambda d: d["subjects"].pop(7), "subjects[{}]"),
        (lambda d: d["warnings"].clear(), "warnings[1]"),
    ):
        data = json.loads((report / "report.json").read_text())
        name = data["subjects"][7]["name"]
        change(data)
        (report / "changed.json").write_text(json.dumps(data))
        told = run(cli, ["replay", str(report / "changed.json"), "--json"])
        places = {each["where"] for each in json.loads(told.stdout)["differences"]}
        assert where.format(name) in places and told.exit_code == 1
