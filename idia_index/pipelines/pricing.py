"""Estimates the cost of auditing a hosted model: requests, texts, images, bytes, time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from idia_index.errors import InputError
from idia_index.pipelines.load import backend_for
from idia_index.registry import LABELERS, available, backend_class

_LABEL_BYTES = 32  # of a prompt; the paper's with common names have 31 on average


@dataclass(frozen=True)
class Asked:
    """An audit of a hosted model.

    Attributes:
        model: SPEC of the model; its dialect determines the size of a request.
        candidates: number of candidate names.
        templates: number of templates.
        subjects: number of people.
        images: images per person.
        image_bytes: bytes of an image as sent.
        rate: requests per second.
        most_labels: maximum labels per request of a labeler; null: unlimited.
    """

    model: str
    candidates: int = 1000
    templates: int = 21
    subjects: int = 1
    images: int = 30
    image_bytes: int = 100_000
    rate: float = 1.0
    most_labels: int | None = None

    def __post_init__(self) -> None:
        counts = (self.candidates, self.templates, self.subjects, self.images, self.image_bytes)
        least = 2 if self.most_labels is None else self.most_labels
        if min(counts) < 1 or not 0 < self.rate < math.inf or least < 2:
            raise InputError(
                "--candidates, --templates, --subjects, --images, --image-bytes and --rate must be "
                "above 0, --most-labels at least 2"
            )


@dataclass(frozen=True)
class Price:
    """The maximum cost.

    Attributes:
        calls: requests, including the fixed probes.
        texts: texts sent, counting repeats.
        images: images sent, counting repeats.
        bytes: their bytes; images in base64.
        seconds: time at the stated rate.
    """

    calls: int
    texts: int
    images: int
    bytes: int
    seconds: float


@dataclass(frozen=True)
class CallPlan:
    """What an audit of a hosted model costs.

    Attributes:
        format: name and version of the document's format.
        asked: the audit.
        embeddings: for a service with embeddings: each prompt and each image once; null for a
            labeler.
        labels: for a service with labels alone: each image once per template.
        control_names: the additional cost of the rule under control names: again each image whose
            label was the true name, without that name.
    """

    format: Literal["idia-index/plan-calls/1"]
    asked: Asked
    embeddings: Price | None
    labels: Price
    control_names: Price


def label_requests(labels: int, most: int | None) -> tuple[int, int]:
    """Requests, and labels in all of them, needed to find the best of a number of labels.

    If one request does not take all, each run of `most` has a winner, and the winners compete in
    further requests until one is left.
    """
    requests, sent = 1, labels
    while most is not None and labels > most:
        labels = math.ceil(labels / most)
        requests += labels
        sent += labels
    return requests, sent


def price(asked: Asked) -> CallPlan:
    """The maximum cost of an audit.

    Raises:
        InputError: the model is not hosted.
    """
    texts, images = asked.candidates * asked.templates, asked.subjects * asked.images
    labels_alone = asked.model.partition("+")[0] in available(LABELERS)
    hosted = backend_for(asked.model)
    if hosted != "http":
        raise InputError(
            f"--model {asked.model!r}: a local model costs no calls; pass DIALECT+https://HOST/#MODEL"
        )
    embeddings = None
    if not labels_alone:
        calls = backend_class(hosted).calls(asked.model, texts, images) or 0
        embeddings = _price(asked, calls, texts, images)
    labels = _labels(asked, asked.candidates)
    return CallPlan(
        format="idia-index/plan-calls/1",
        asked=asked,
        embeddings=embeddings,
        labels=labels,
        control_names=_labels(asked, max(asked.candidates - 1, 1)),
    )


def _labels(asked: Asked, candidates: int) -> Price:
    """Every image in every template, among a number of labels."""
    requests, sent = label_requests(candidates, asked.most_labels)
    each = asked.subjects * asked.images * asked.templates
    return _price(asked, each * requests, each * sent, each * requests)


def _price(asked: Asked, calls: int, texts: int, images: int) -> Price:
    size = texts * _LABEL_BYTES + images * 4 * math.ceil(asked.image_bytes / 3)
    return Price(calls, texts, images, size, calls / asked.rate)
