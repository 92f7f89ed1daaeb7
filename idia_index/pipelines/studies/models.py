"""The models of a study as the command line gives them, and what they compute."""

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
        label: as figures call it; also its folder.
        spec: SPEC, as `build` takes it.
        group: what checkpoints of one training have in common; the label where there are none.
        count: training images of each member; None where the study knows them by person.
        labeler: the labeler that is asked; None: a backend gives embeddings.
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
        InputError: a label twice or none that fits, or no model.
    """
    models = [_parse(study, text, activation) for text in given]
    seen = set()
    for model in models:
        if model.label.casefold() in seen:
            raise InputError(f"--model: two are called {shown(model.label)}; pass LABEL=SPEC")
        seen.add(model.label.casefold())
    if len(models) > 1 and any(study.checkpoints and model.count is None for model in models):
        raise InputError(
            "--model: give each checkpoint the number of training images of a member, 75=SPEC or "
            "NAME:75=SPEC"
        )
    return models


def _parse(study: Study, text: str, activation: Activation) -> StudyModel:
    found = _LABELLED.fullmatch(text)
    label, spec = (found[1].strip(), found[2]) if found else (_own_label(text), text)
    if not _FOLDER.fullmatch(label) or label.strip(". ") == "":
        raise InputError(
            f"--model {shown(text)}: give it a label of letters, digits, spaces and . : + - as in "
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
    """What a model without a label is called: its architecture, or its folder or file."""
    if re.match(r"[A-Za-z-]+:", spec) or spec.startswith(("/", ".", "~")):
        spec = re.sub(r"^[A-Za-z-]+:", "", spec).rstrip("/").rpartition("/")[2]
    label = re.sub(r"[^\w .:+-]+", "-", spec.partition("/")[0])
    return label[:80] or "model"


def _as(study: Study, spec: str, activation: Activation) -> str:
    """A published SPEC with the activation that is asked for; any other as it is."""
    for model in study.models:
        if spec in (model.as_published, model.as_trained):
            return model.as_published if activation == "as-published" else model.as_trained
    return spec


def activation_note(study: Study, activation: Activation) -> str:
    """What reports say of it in their first lines."""
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
        "Activation as published: weights are loaded under the architecture's own activation even "
        "where they were trained with another, as the paper's notebooks do"
    )
    named = f" ({', '.join(differ)})" if differ else ""
    return f"{told}{named}. Such a model's embeddings are not those it was trained to give."
