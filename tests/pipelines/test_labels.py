"""The attack with labels alone, against that on the same model's embeddings."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import make_images
from hosted_server import Handler, Request, Service, serving
from toy_labeler import TOY, ToyLabeler

from idia_index import (
    Session,
    Settings,
    Subject,
    audit,
    build_index,
    evaluate,
    open_index,
    query,
    read_subjects,
)
from idia_index.cli.main import run as run_command
from idia_index.errors import IdiaIndexError, InputError, ModelError, RefusedError, ServiceError
from idia_index.evaluation.label_controls import NOT_AVAILABLE
from idia_index.photos.crops import read_crop
from idia_index.pipelines.label_votes import ask_labels
from idia_index.pipelines.labels import build_label_index
from idia_index.registry import load_labeler
from idia_index.study import ONNX_DIR

HOST = "127.0.0.1"
NAMES = [f"First{i % 7} Last{i}" for i in range(30)]
TEMPLATES = ["{0}", "a photo of {0}", "{0} at a party"]


@pytest.fixture
def people(tmp_path: Path) -> Sequence[Subject]:
    for seed, person in enumerate(("First3_Last10", "First0_Last7", "Somebody_Else")):
        make_images(tmp_path / "people" / person, 3, seed)
    return read_subjects(tmp_path / "people")


@pytest.mark.slow
@pytest.mark.parametrize("most", [None, 30, 7, 2])
def test_votes_are_those_of_the_embeddings(
    most: int | None, people: Sequence[Subject], tmp_path: Path
) -> None:
    labeler = ToyLabeler(most)
    index = build_label_index(tmp_path / "labels", labeler, NAMES, TEMPLATES)
    found = audit(index, labeler, people)
    local = build_index(tmp_path / "local", TOY, NAMES, TEMPLATES)
    for mine, person in zip(found.subjects, people, strict=True):
        (theirs,) = query(local, TOY, person).subjects
        assert mine.votes == theirs.votes and mine.verdict == theirs.verdict
        assert mine.p_value is None and mine.margin is None
    assert NOT_AVAILABLE in found.notes
    runs = [note for note in found.notes if "can differ from a single question" in note]
    assert bool(runs) == (most is not None and most < 31)
    if most is not None:
        assert max(len(labels) for _, labels in labeler.asked) <= most


@pytest.mark.slow
@pytest.mark.parametrize(("most", "concurrency"), [(None, 1), (7, 1), (7, 3)])
def test_an_audit_that_fails_resumes_without_a_question_twice(
    most: int | None, concurrency: int, people: Sequence[Subject], tmp_path: Path
) -> None:
    labeler = ToyLabeler(most, concurrency)
    index = build_label_index(tmp_path / "labels", labeler, NAMES, TEMPLATES)
    labeler.stop_after = 11
    with pytest.raises(ServiceError):
        audit(index, labeler, people)
    with (tmp_path / "labels" / "labels.cache").open("ab") as file:
        file.write(b'["half a li')  # of a process that was killed
    labeler.stop_after = 1 << 30
    first = audit(open_index(tmp_path / "labels"), labeler, people)
    assert len(set(labeler.asked)) == len(labeler.asked)
    before = len(labeler.asked)
    assert audit(index, labeler, people).subjects == first.subjects
    assert len(labeler.asked) == before


def test_an_index_of_labels_holds_no_vector_and_answers_to_its_labeler_alone(
    people: Sequence[Subject], tmp_path: Path
) -> None:
    labeler = ToyLabeler()
    index = build_label_index(tmp_path / "labels", labeler, NAMES, TEMPLATES)
    assert index.manifest.plan.kind == "labels"
    assert sum(file.bytes for shard in index.manifest.shards for file in
               (part.file for part in shard.parts)) < 100  # fmt: skip
    with pytest.raises(InputError, match="not available from labels alone"):
        index.search(np.ones((1, 1), np.float32))
    with pytest.raises(ModelError):
        query(index, TOY, people[0])
    labeler.identity = "another"
    with pytest.raises(ModelError, match="not built for the labeler"):
        audit(index, labeler, people)
    with pytest.raises(InputError, match="--labeler"):
        build_index(tmp_path / "wrong", TOY, NAMES, index_type="labels")


@pytest.fixture
def service() -> Iterator[Service]:
    def classify(handler: Handler, request: Request, number: int) -> bool:
        labels = request.body["parameters"]["candidate_labels"]
        assert request.body["parameters"]["hypothesis_template"] == "{}"
        rows = service.embed_texts(labels)
        image = service.embed_images([base64.b64decode(request.body["inputs"])])[0]
        scores = rows @ image / np.linalg.norm(rows, axis=1)
        order = np.argsort(-scores)
        handler.send([{"label": labels[i], "score": float(scores[i])} for i in order])
        return True

    service = Service(fault=classify)
    with serving(service):
        yield service


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.* will be sent")
def test_a_zero_shot_service_gives_the_same_votes(
    service: Service, people: Sequence[Subject], tmp_path: Path
) -> None:
    pytest.importorskip("httpx")
    spec = f"zero-shot+http://{HOST}:{service.port}/classify#toy"
    for session in (Session(), Session(texts_to=(HOST,)), Session(images_to=(HOST,))):
        with pytest.raises(RefusedError, match="nothing was sent"):
            load_labeler("zero-shot", model=spec, session=session)
    labeler = load_labeler("zero-shot", model=spec, session=Session((HOST,), (HOST,)))
    index = build_label_index(tmp_path / "labels", labeler, NAMES, TEMPLATES)
    assert not service.requests
    found = audit(index, labeler, people)
    local = build_index(tmp_path / "local", TOY, NAMES, TEMPLATES)
    for mine, person in zip(found.subjects, people, strict=True):
        assert mine.votes == query(local, TOY, person).subjects[0].votes
    assert found.backend.service is not None
    assert found.backend.service.calls == len(service.requests) == 9 * len(TEMPLATES)
    assert {request.path for request in service.requests} == {"/classify"}


@pytest.mark.filterwarnings("ignore:.* will be sent")
@pytest.mark.parametrize("answer", [[], {}, [{"label": "nobody", "score": 1}], [{"score": 1}]])
def test_a_service_that_gives_no_label_of_the_list_is_one_line(
    answer: Any, service: Service, people: Sequence[Subject], tmp_path: Path
) -> None:
    pytest.importorskip("httpx")
    service.fault = lambda handler, request, number: handler.send(answer) is None
    spec = f"zero-shot+http://{HOST}:{service.port}/#toy"
    labeler = load_labeler("zero-shot", model=spec, session=Session((HOST,), (HOST,)))
    index = build_label_index(tmp_path / "labels", labeler, NAMES, TEMPLATES)
    with pytest.raises(IdiaIndexError, match="no labels with scores") as caught:
        audit(index, labeler, people)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_the_reference_labeler_votes_as_the_backend_it_stands_around(
    people: Sequence[Subject], tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime")
    from idia_index import load_backend

    labeler = load_labeler("reference", model=str(ONNX_DIR))
    index = build_label_index(tmp_path / "labels", labeler, NAMES, TEMPLATES)
    votes = ask_labels(index, labeler, people).votes
    backend = load_backend("onnx", model=str(ONNX_DIR))
    local = build_index(tmp_path / "local", backend, NAMES, TEMPLATES)
    for mine, person in zip(votes.subjects, people, strict=True):
        (theirs,) = query(local, backend, person).subjects
        assert mine.decision.correct_prompts == theirs.correct_prompts


def _known(people: Sequence[Subject]) -> list[Subject]:
    """The same people, the first of them known members."""
    truth = ("member", "non_member", "non_member")
    return [replace(each, membership=role) for each, role in zip(people, truth, strict=True)]


def test_an_evaluation_has_the_rates_of_the_embeddings_and_says_what_it_lacks(
    people: Sequence[Subject], tmp_path: Path
) -> None:
    labeler, known = ToyLabeler(), _known(people)
    index = build_label_index(tmp_path / "labels", labeler, NAMES, TEMPLATES)
    settings = Settings(sizes=(1, 2, 3), min_images=3, draws=4)
    found = evaluate(index, labeler, known, settings)
    local = build_index(tmp_path / "local", TOY, NAMES, TEMPLATES)
    theirs = evaluate(local, TOY, known, settings)
    assert found.metrics == theirs.metrics
    assert found.evaluation.curves == theirs.evaluation.curves
    assert found.evaluation.sensitivity.templates == theirs.evaluation.sensitivity.templates
    mine, other = found.evaluation.roc, theirs.evaluation.roc
    assert mine is not None and other is not None
    assert mine.correct_prompts == other.correct_prompts
    assert mine.margin is None and mine.pmi is None and found.p_values is None
    assert found.evaluation.baselines is None
    assert all(each.margin is None and each.p_value is None for each in found.subjects)
    assert found.image_sha256 == theirs.image_sha256
    assert NOT_AVAILABLE in found.notes and "NaN" not in json.dumps(found.to_dict())


@pytest.mark.slow
@pytest.mark.parametrize("most", [None, 7])
def test_the_rule_under_control_names_is_had_for_questions_of_its_own(
    most: int | None, people: Sequence[Subject], tmp_path: Path
) -> None:
    labeler = ToyLabeler(most)
    index = build_label_index(tmp_path / "labels", labeler, NAMES, TEMPLATES)
    votes = ask_labels(index, labeler, people).votes
    chosen = votes.index.name(int(votes.subjects[0].predictions[0, 0]))
    people = [replace(people[0], name=chosen), *people[1:]]  # so that a true name is chosen
    plain = audit(index, labeler, people)
    assert all(each.rule_null is None and each.controls is None for each in plain.subjects)
    before = len(labeler.asked)
    found = audit(index, labeler, people, control_names=True)
    assert found.metrics == plain.metrics and len(labeler.asked) > before
    local = audit(build_index(tmp_path / "local", TOY, NAMES, TEMPLATES), TOY, people)
    for mine, theirs in zip(found.subjects, local.subjects, strict=True):
        assert (mine.rule_null, mine.controls) == (theirs.rule_null, theirs.controls)
        assert mine.controls_matched_on == theirs.controls_matched_on and mine.votes == theirs.votes
    asked = len(labeler.asked)
    audit(index, labeler, people, control_names=True)
    assert len(labeler.asked) == asked
    with pytest.raises(InputError, match="--control-names is only for label indexes"):
        audit(build_index(tmp_path / "again", TOY, NAMES, TEMPLATES), TOY, people,
              control_names=True)  # fmt: skip


def test_a_query_shows_the_names_that_were_chosen_most_often(
    people: Sequence[Subject], tmp_path: Path
) -> None:
    labeler = ToyLabeler()
    index = build_label_index(tmp_path / "labels", labeler, NAMES, TEMPLATES)
    local = build_index(tmp_path / "local", TOY, NAMES, TEMPLATES)
    found = query(index, labeler, people[0], top=3)
    assert found.top == query(local, TOY, people[0], top=3).top
    assert NOT_AVAILABLE in found.to_text().replace("\n", " ") or NOT_AVAILABLE in found.notes
    with pytest.raises(InputError, match="not available from labels alone"):
        query(index, labeler, people[0], reference_faces=tmp_path)


def test_a_crop_is_what_is_asked_about_and_a_copy_counts_once(
    people: Sequence[Subject], tmp_path: Path
) -> None:
    labeler, (first, *_) = ToyLabeler(), people
    index = build_label_index(tmp_path / "labels", labeler, NAMES, TEMPLATES)
    copy = tmp_path / "copy.png"
    copy.write_bytes(Path(first.images[0]).read_bytes())
    again = replace(first, images=(*first.images, copy))
    result = audit(index, labeler, [again, replace(people[1], images=(copy,))])
    found = result.subjects[0]
    assert any(each.startswith("1 photo with the same bytes in") for each in result.notes)
    assert found.images == len(first.images)
    assert "the same bytes as" in found.skipped[0].reason
    whole = {size for size, _ in labeler.asked}
    labeler.asked.clear()
    audit(index, labeler, [replace(first, crop=read_crop("centre"))])
    assert len(labeler.asked) == 9 and not whole & {image for image, _ in labeler.asked}


def test_an_image_that_cannot_be_read_is_listed_or_where_strict_an_error(
    people: Sequence[Subject], tmp_path: Path
) -> None:
    labeler, (first, *_) = ToyLabeler(), people
    index = build_label_index(tmp_path / "labels", labeler, NAMES, TEMPLATES)
    wrong = tmp_path / "wrong.png"
    wrong.write_bytes(b"no image")
    mixed = replace(first, images=(wrong, *first.images))
    assert audit(index, labeler, [mixed]).subjects[0].skipped[0].file == str(wrong)
    with pytest.raises(InputError, match=r"wrong\.png"):
        audit(index, labeler, [mixed], strict=True)
    with pytest.raises(InputError, match="no image that can be read, of 1"):
        audit(index, labeler, [replace(first, images=(wrong,))])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.* will be sent")
def test_max_calls_refuse_an_audit_before_the_first(
    service: Service, people: Sequence[Subject], tmp_path: Path
) -> None:
    pytest.importorskip("httpx")
    spec = f"zero-shot+http://{HOST}:{service.port}/#toy"
    session = Session((HOST,), (HOST,), max_calls=26)
    labeler = load_labeler("zero-shot", model=spec, session=session)
    index = build_label_index(tmp_path / "labels", labeler, NAMES, TEMPLATES)
    with pytest.raises(RefusedError, match="--max-calls 26: this takes up to 27 calls"):
        audit(index, labeler, people)
    assert not service.requests
    enough = load_labeler("zero-shot", model=spec, session=replace(session, max_calls=27))
    audit(index, enough, people)
    assert len(service.requests) == 27
    with pytest.raises(InputError, match="--send-original"):
        load_labeler("zero-shot", model=spec, session=replace(session, send_original=True))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.* will be sent")
def test_every_verb_works_from_labels_or_says_in_one_line_what_is_not_to_be_had(
    service: Service, people: Sequence[Subject], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("httpx")
    (tmp_path / "names.txt").write_text("\n".join(NAMES) + "\n")
    (tmp_path / "templates.txt").write_text("\n".join(TEMPLATES) + "\n")
    index, here = tmp_path / "i", ("--send-texts-to", HOST, "--send-images-to", HOST)
    spec = f"zero-shot+http://{HOST}:{service.port}/#toy"
    said = ("--names", tmp_path / "names.txt", "--templates", tmp_path / "templates.txt",
            "--labeler", "zero-shot", "--most-labels", 40, "--model", spec)  # fmt: skip
    one = (tmp_path / "people" / "First3_Last10", "--name", "First3 Last10")
    few = ("--min-images", 2, "--sample-sizes", "1,2", "--draws", 2)

    def run(*arguments: object) -> int:
        return run_command([str(argument) for argument in arguments], False)

    assert run("build", index, *said) == 2
    assert run("build", index, *said, *here) == 0
    for verb in (("audit", index, tmp_path / "people"), ("query", index, *one),
                 ("evaluate", index, tmp_path / "people", *few)):  # fmt: skip
        assert run(*verb) == 2
        assert "nothing was sent; to send" in capsys.readouterr().err
    assert not service.requests
    assert run("query", index, *one, "--json", *here) == 0
    assert json.loads(capsys.readouterr().out)["subjects"][0]["margin"] is None
    out = tmp_path / "out"
    assert run("audit", index, tmp_path / "people", "--out", out, "--json", *here) == 0
    document = json.loads(capsys.readouterr().out)
    # One name more competes, so that nothing of the query's answers is taken for these.
    assert document["backend"]["service"]["calls"] == 9 * len(TEMPLATES)
    assert NOT_AVAILABLE in document["notes"]
    assert NOT_AVAILABLE.split(":")[0] in (out / "index.html").read_text()
    calls = len(service.requests)
    assert run("evaluate", index, tmp_path / "people", *few, "--out", out, *here) == 0
    assert run("evaluate", "--from", out, *few) == 0
    assert len(service.requests) == calls
    capsys.readouterr()
    for wrong in (
        ("audit", index, tmp_path / "people", *here, "--reference-faces", tmp_path),
        ("audit", index, tmp_path / "people", *here, "--device", "cpu"),
        ("replay", out, *here),
        ("compare", index, index, tmp_path / "people"),
        ("add", index, "--names", tmp_path / "names.txt"),
    ):
        assert run(*wrong) == 2, wrong
        told = capsys.readouterr().err.strip()
        assert "labels" in told.splitlines()[-1], told
    assert len(service.requests) == calls


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.* will be sent")
def test_a_study_runs_from_labels(
    service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("httpx")
    (tmp_path / "people.csv").write_text(
        "name,membership,training_count\nJane Doe,member,3\nJohn Roe,non_member,0\n"
    )
    settings = {"sample_sizes": "2", "min_images": 2, "draws": 1}
    (tmp_path / "own.json").write_text(json.dumps(
        {"format": "idia-index/study/1", "title": "Own", "people": "people.csv",
         "evaluation": settings, "candidates": {"total": 12, "top": 4}}
    ))  # fmt: skip
    for seed, person in enumerate(("Jane_Doe", "John_Roe")):
        make_images(tmp_path / "photos" / person, 2, seed)
    spec = f"toy=zero-shot+http://{HOST}:{service.port}/#toy"
    command = ["study", tmp_path / "own.json", "--images", tmp_path / "photos", "--labeler",
               "zero-shot", "--model", spec, "--out", tmp_path / "out", "--json"]  # fmt: skip

    def run(*more: object) -> int:
        return run_command([str(argument) for argument in (*command, *more)], False)

    assert run() == 1 and not service.requests
    assert "nothing was sent; to send" in capsys.readouterr().err
    assert run("--send-texts-to", HOST, "--send-images-to", HOST) == 0
    (model,) = json.loads(capsys.readouterr().out)["models"]
    assert len(service.requests) == 4 * 21 and model["curves"]["tpr"]["people"] == 1
    assert all(each["p_value"] is None for each in model["people"])
    report = (tmp_path / "out" / model["report"]).with_name("index.html").read_text()
    assert NOT_AVAILABLE.split(":")[0] in report
