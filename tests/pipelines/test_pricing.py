"""The cost of auditing a hosted model, against explicit counting."""

from __future__ import annotations

import json

import pytest

from idia_index.cli.main import run
from idia_index.errors import InputError
from idia_index.pipelines.pricing import Asked, label_requests, price

pytest.importorskip("httpx")
SPEC = "vllm+https://example.org/#m"


def counted(labels: list[int], most: int | None) -> tuple[int, int]:
    """A tournament that is played: requests and labels."""
    requests = sent = 0
    while True:
        size = len(labels) if most is None else most
        runs = [labels[start : start + size] for start in range(0, len(labels), size)]
        requests, sent = requests + len(runs), sent + sum(map(len, runs))
        labels = [max(each) for each in runs]
        if len(labels) == 1:
            return requests, sent


@pytest.mark.parametrize("most", [None, 2, 7, 10, 100, 1000])
@pytest.mark.parametrize("labels", [1, 2, 7, 99, 100, 101, 1000])
def test_requests_of_labels_are_those_of_a_tournament(labels: int, most: int | None) -> None:
    assert label_requests(labels, most) == counted(list(range(labels)), most)


def test_a_price_is_what_is_asked_for_at_the_most() -> None:
    found = price(Asked(SPEC, candidates=100, subjects=2, images=3, rate=4, most_labels=10))
    assert found.embeddings is not None
    assert (found.embeddings.texts, found.embeddings.images) == (2100, 6)
    assert found.embeddings.calls >= 2100 + 6 + 4 * 40  # one item a request, and the probes
    assert found.labels.calls == 2 * 3 * 21 * 11 == found.labels.images
    assert found.labels.seconds == found.labels.calls / 4


def test_a_service_of_labels_is_priced_by_labels_alone() -> None:
    found = price(Asked("zero-shot+https://example.org/#m", candidates=100, subjects=2, images=3))
    assert found.embeddings is None and found.labels.calls == 2 * 3 * 21
    assert found.labels.texts == found.labels.calls * 100


def test_a_model_here_costs_no_calls_and_wrong_numbers_are_one_line() -> None:
    with pytest.raises(InputError, match="costs no calls"):
        price(Asked("ViT-B-32/openai"))
    with pytest.raises(InputError, match="--rate"):
        Asked(SPEC, rate=0)


def test_the_command_says_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "--calls", "--subjects", "10", "--json", "--model", SPEC], False) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["format"] == "idia-index/plan-calls/1"
    assert document["labels"]["calls"] == 10 * 30 * 21
    assert run(["plan", "--calls"], False) == 0
    assert "by labels alone" in capsys.readouterr().out
