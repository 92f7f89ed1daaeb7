"""Markdown of a report: parsed by Hugging Face's own reader, and without names."""

from __future__ import annotations

from dataclasses import replace

import pytest
from conftest import make_images
from toy_backend import ToyBackend

from idia_index import build_index
from idia_index.evaluation.settings import Settings
from idia_index.pipelines.evaluate import evaluate
from idia_index.prompts.names import make_names
from idia_index.report.documents import EvaluationResult
from idia_index.report.markdown import model_card_markdown, summary_markdown
from idia_index.subjects.subjects import MEMBER, NON_MEMBER, Subject

NAMES = ("Ada Alpha", "Bob Beta", "Cia Gamma", "New Name")


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> EvaluationResult:
    folder = tmp_path_factory.mktemp("people")
    backend = ToyBackend(model="toy")
    index = build_index(folder / "i", backend, make_names(NAMES[:3]))
    people = [
        Subject(name, tuple(sorted(make_images(folder / name, 3).iterdir())), membership)
        for name, membership in zip(NAMES, (MEMBER, NON_MEMBER, NON_MEMBER, None), strict=True)
    ]
    return evaluate(index, backend, people, Settings(sizes=(1, 3), min_images=3))


def test_hugging_face_reads_the_results(result: EvaluationResult) -> None:
    hub = pytest.importorskip("huggingface_hub")
    hostile = replace(result, index=replace(result.index, model='a: "b"\n- #x'))
    card = hub.ModelCard(model_card_markdown(hostile))
    assert card.data.model_name == 'a: "b"\n- #x'
    found = {each.metric_type: each.metric_value for each in card.data.eval_results}
    assert result.metrics is not None
    assert found == {
        "associated": len(result.associated) / len(result.subjects),
        "true_positive_rate": result.metrics.tpr,
        "false_positive_rate": result.metrics.fpr,
    }
    assert {each.task_type for each in card.data.eval_results} == {"zero-shot-image-classification"}
    unknown = hub.ModelCard(model_card_markdown(replace(result, metrics=None)))
    assert [each.metric_type for each in unknown.data.eval_results] == ["associated"]


def test_both_name_nobody_and_say_what_was_tested(result: EvaluationResult) -> None:
    for text in (summary_markdown(result), model_card_markdown(result)):
        assert not any(part in text for name in NAMES for part in name.split()[1:])
        assert result.index.fingerprint.weights_sha256 in text
        assert f"{len(result.associated)} of {len(result.subjects)} people" in text
        assert "it is not proof" in text
