"""The attack on labels alone, against that on the same model's embeddings."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import make_images
from hosted_server import Handler, Request, Service, serving
from PIL import Image
from toy_backend import ToyBackend

from idia_index import Backend, Session, Subject, build_index, open_index, query, read_subjects
from idia_index.cli.main import run as run_command
from idia_index.errors import IdiaIndexError, InputError, ModelError, RefusedError, ServiceError
from idia_index.pipelines.labels import (
    NOT_AVAILABLE,
    audit_labels,
    build_label_index,
    label_votes,
)
from idia_index.plugins.labeler import LabelerPlugin
from idia_index.registry import load_labeler
from idia_index.study import ONNX_DIR

HOST = "127.0.0.1"
NAMES = [f"First{i % 7} Last{i}" for i in range(30)]
TEMPLATES = ["{0}", "a photo of {0}", "{0} at a party"]
TOY = Backend(ToyBackend(model="toy"))


class ToyLabeler(LabelerPlugin):
    """The toy backend, asked for labels."""

    name = "toy"
    model = "toy"
    device = "nowhere"
    identity = "toy"

    def __init__(self, most_labels: int | None = None) -> None:
        self.most_labels = most_labels
        self.asked: list[tuple[bytes, tuple[str, ...]]] = []
        self.stop_after = 1 << 30

    def choose(self, image: Image.Image, labels: Sequence[str]) -> int:
        if len(self.asked) >= self.stop_after:
            raise ServiceError("the service is away")
        self.asked.append((image.tobytes(), tuple(labels)))
        return int((TOY.encode_texts(list(labels)) @ TOY.encode_images([image])[0]).argmax())


@pytest.fixture
def people(tmp_path: Path) -> Sequence[Subject]:
    for seed, person in enumerate(("First3_Last10", "First0_Last7", "Somebody_Else")):
        make_images(tmp_path / "people" / person, 3, seed)
    return read_subjects(tmp_path / "people")


@pytest.mark.parametrize("most", [None, 30, 7, 2])
def test_votes_are_those_of_the_embeddings(
    most: int | None, people: Sequence[Subject], tmp_path: Path
) -> None:
    labeler = ToyLabeler(most)
    index = build_label_index(tmp_path / "labels", labeler, NAMES, TEMPLATES)
    found = audit_labels(index, labeler, people)
    local = build_index(tmp_path / "local", TOY, NAMES, TEMPLATES)
    for mine, person in zip(found.subjects, people, strict=True):
        (theirs,) = query(local, TOY, person).subjects
        assert mine.votes == theirs.votes and mine.verdict == theirs.verdict
        assert mine.p_value is None and mine.margin is None
    assert NOT_AVAILABLE in found.notes
    runs = [note for note in found.notes if "This can differ from one question" in note]
    assert bool(runs) == (most is not None and most < 31)
    if most is not None:
        assert max(len(labels) for _, labels in labeler.asked) <= most


@pytest.mark.parametrize("most", [None, 7])
def test_an_audit_that_fails_resumes_without_a_question_twice(
    most: int | None, people: Sequence[Subject], tmp_path: Path
) -> None:
    labeler = ToyLabeler(most)
    index = build_label_index(tmp_path / "labels", labeler, NAMES, TEMPLATES)
    labeler.stop_after = 11
    with pytest.raises(ServiceError):
        audit_labels(index, labeler, people)
    with (tmp_path / "labels" / "labels.cache").open("ab") as file:
        file.write(b'["half a li')  # of a process that was killed
    labeler.stop_after = 1 << 30
    first = audit_labels(open_index(tmp_path / "labels"), labeler, people)
    assert len(set(labeler.asked)) == len(labeler.asked)
    before = len(labeler.asked)
    assert audit_labels(index, labeler, people).subjects == first.subjects
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
        audit_labels(index, labeler, people)
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
    found = audit_labels(index, labeler, people)
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
    with pytest.raises(IdiaIndexError, match="holds no labels with scores") as caught:
        audit_labels(index, labeler, people)
    assert "\n" not in str(caught.value)


def test_the_reference_labeler_votes_as_the_backend_it_stands_around(
    people: Sequence[Subject], tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime")
    from idia_index import load_backend

    labeler = load_labeler("reference", model=str(ONNX_DIR))
    index = build_label_index(tmp_path / "labels", labeler, NAMES, TEMPLATES)
    votes = label_votes(index, labeler, people)
    backend = load_backend("onnx", model=str(ONNX_DIR))
    local = build_index(tmp_path / "local", backend, NAMES, TEMPLATES)
    for mine, person in zip(votes.subjects, people, strict=True):
        (theirs,) = query(local, backend, person).subjects
        assert mine.decision.correct_prompts == theirs.correct_prompts


@pytest.mark.filterwarnings("ignore:.* will be sent")
def test_the_commands_build_and_audit_from_labels(
    service: Service, people: Sequence[Subject], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("httpx")
    (tmp_path / "names.txt").write_text("\n".join(NAMES) + "\n")
    index, here = tmp_path / "i", ("--send-texts-to", HOST, "--send-images-to", HOST)
    spec = f"zero-shot+http://{HOST}:{service.port}/#toy"
    names = ("--names", tmp_path / "names.txt", "--most-labels", 40)

    def run(*arguments: object) -> int:
        return run_command([str(argument) for argument in arguments], False)

    assert run("build", index, "--labeler", "zero-shot", "--model", spec, *names) == 2
    assert run("build", index, "--labeler", "zero-shot", "--model", spec, *names, *here) == 0
    assert run("audit", index, tmp_path / "people") == 2
    assert not service.requests
    assert (
        run("query", index, tmp_path / "people" / "First3_Last10", "--name", "First3 Last10") == 2
    )
    assert "only audit can ask it" in capsys.readouterr().err
    assert run("audit", index, tmp_path / "people", "--out", tmp_path / "out", *here) == 2
    assert "--out: not available from labels alone" in capsys.readouterr().err
    assert run("audit", index, tmp_path / "people", "--json", *here) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["backend"]["service"]["calls"] == 9 * 21
    assert NOT_AVAILABLE in document["notes"]
