"""Parses the models of a study from the command line, with their activations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from idia_index.errors import InputError
from idia_index.pipelines.studies.definition import Study
from idia_index.support.text import shown

Activation = Literal["as-published", "as-trained"]
ACTIVATIONS: tuple[Activation, ...] = ("as-published", "as-trained")

_LABELLED = re.compile(r"([^=/\\]+)=(.+)", re.DOTALL)
_COUNT = re.compile(r"(?:(.+):)?([0-9]{1,9})")
_FOLDER = re.compile(r"[\w .:+-]{1,80}")


@dataclass(frozen=True)
class StudyModel:
    """One model of a study.

    Attributes:
        label: its label in figures; also its folder.
        spec: SPEC, as for `build`.
        group: the common name of checkpoints of one training run; else the label.
        count: training images of each member; None if the study states them by person.
        labeler: the labeler to query; None: a backend gives embeddings.
    """

    label: str
    spec: str
    group: str
    count: int | None = None
    labeler: str | None = None

    def __str__(self) -> str:
        return f"model {self.label}"


def parse_models(study: Study, given: Sequence[str], activation: Activation) -> list[StudyModel]:
    """Models from LABEL=SPEC or SPEC.

    The label of a checkpoint is a training count, or a name, a colon and a training count:
    75, or RN50:75.

    Raises:
        InputError: a label is repeated or invalid, or there is no model.
    """
    models = [_parse(study, text, activation) for text in given]
    seen = set()
    for model in models:
        if model.label.casefold() in seen:
            raise InputError(f"--model: two are labelled {shown(model.label)}; pass LABEL=SPEC")
        seen.add(model.label.casefold())
    if len(models) > 1 and any(study.checkpoints and model.count is None for model in models):
        raise InputError(
            "--model: label each checkpoint with a member's number of training images, 75=SPEC or "
            "NAME:75=SPEC"
        )
    return models


def _parse(study: Study, text: str, activation: Activation) -> StudyModel:
    found = _LABELLED.fullmatch(text)
    label, spec = (found[1].strip(), found[2]) if found else (_own_label(text), text)
    if not _FOLDER.fullmatch(label) or label.strip(". ") == "":
        raise InputError(
            f"--model {shown(text)}: use a label of letters, digits, spaces and . : + - as in "
            "LABEL=SPEC"
        )
    spec = _as(study, spec, activation)
    if not study.checkpoints or found is None:
        return StudyModel(label, spec, label)
    counted = _COUNT.fullmatch(label)
    if counted is None:
        raise InputError(
            f"--model {shown(text)}: the label of a checkpoint is the number of training images of "
            "a member, 75=SPEC or NAME:75=SPEC"
        )
    return StudyModel(label, spec, counted[1] or "", int(counted[2]))


def _own_label(spec: str) -> str:
    """The default label of a model: its architecture, or its folder or file."""
    if re.match(r"[A-Za-z-]+:", spec) or spec.startswith(("/", ".", "~")):
        spec = re.sub(r"^[A-Za-z-]+:", "", spec).rstrip("/").rpartition("/")[2]
    label = re.sub(r"[^\w .:+-]+", "-", spec.partition("/")[0])
    return label[:80] or "model"


def _as(study: Study, spec: str, activation: Activation) -> str:
    """A published SPEC with the requested activation; any other unchanged."""
    for model in study.models:
        if spec in (model.as_published, model.as_trained):
            return model.as_published if activation == "as-published" else model.as_trained
    return spec


def activation_note(study: Study, activation: Activation) -> str:
    """The note on activations at the top of reports."""
    differ = [m.as_published for m in study.models if m.as_published != m.as_trained]
    if activation == "as-trained":
        told = "Activation as trained: every model computes what its weights were trained with"
        if not differ:
            return f"{told}; others are refused."
        return (
            f"{told}; the published figures of {', '.join(differ)} were computed with another "
            "activation (GELU, not QuickGELU)."
        )
    told = (
        "Activation as published: weights are loaded with the architecture's own activation even "
        "if they were trained with another, as in the paper's notebooks"
    )
    named = f" ({', '.join(differ)})" if differ else ""
    return f"{told}{named}. Such a model's embeddings are not those it was trained to produce."
