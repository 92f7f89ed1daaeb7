"""Builds label indexes for labelers, and evaluates their answers."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from idia_index.encode.backend import Backend
from idia_index.errors import InputError, ModelError
from idia_index.evaluation.evidence import Evidence, Origin
from idia_index.evaluation.label_controls import NOT_AVAILABLE, label_controls
from idia_index.evaluation.measured import Measured
from idia_index.evaluation.settings import Measurement, not_tested
from idia_index.pipelines.build import build_index
from idia_index.pipelines.label_votes import Answered, ask_labels
from idia_index.plugins import BackendPlugin, Session
from idia_index.plugins.labeler import LabelerPlugin
from idia_index.prompts.templates import Template
from idia_index.registry import load_labeler
from idia_index.search.index import Index
from idia_index.subjects.records import Subject
from idia_index.support.text import shown
from idia_index.types import Fingerprint, Float32

KIND = "labels"


class _Nominal(BackendPlugin):
    """Represents a labeler when an index is built: every text is the number 1."""

    def __init__(self, labeler: LabelerPlugin) -> None:
        self._identity = labeler.identity
        self.name, self.model, self.device = labeler.name, labeler.model, labeler.device
        self.notes, self.load_options = labeler.notes, {"most_labels": labeler.most_labels}

    @property
    def fingerprint(self) -> Fingerprint:
        """The labeler's identity; nothing else is known."""
        digest = hashlib.sha256(f"{self.name}\n{self._identity}".encode()).hexdigest()
        unknown = "of the labeler"
        return Fingerprint(f"labels: {self.name}", digest, unknown, unknown, unknown, 1, "float32")

    def embed_texts(self, texts: Sequence[str]) -> Float32:
        return np.ones((len(texts), 1), np.float32)

    def embed_images(self, images: Sequence[Image.Image]) -> Float32:
        raise InputError(NOT_AVAILABLE)


def build_label_index(
    path: str | os.PathLike[str],
    labeler: LabelerPlugin,
    names: Sequence[str],
    templates: Sequence[Template | str] | None = None,
    *,
    pool: Mapping[str, Any] | None = None,
    resume: bool = False,
) -> Index:
    """Writes an index of names and templates for a labeler, without querying it.

    Arguments as for `idia_index.pipelines.build.build_index`.

    Raises:
        InputError: as `idia_index.pipelines.build.build_index`.
    """
    backend = Backend(_Nominal(labeler))
    return build_index(path, backend, names, templates, index_type=KIND, pool=pool, resume=resume)


def is_of_labels(index: Index) -> bool:
    """Whether an index belongs to a labeler and holds no vectors."""
    return index.manifest.plan.kind == KIND


def load_labeler_for(
    index: Index, *, model: str | None = None, session: Session | None = None
) -> LabelerPlugin:
    """Loads the labeler that an index was built for; raises as `load_labeler`.

    Args:
        index: a label index.
        model: another location of the same model; None: unchanged.
        session: what a hosted labeler may send, and where.
    """
    plan = index.manifest.plan
    options = {key: value for key, value in plan.load_options.items() if value is not None}
    return load_labeler(plan.backend, model=model or plan.model, session=session, **options)


def check_labels_alone(**asked: object) -> None:
    """Raises InputError for an option that needs similarities."""
    for option, value in asked.items():
        if value is not None:
            raise InputError(
                f"--{option.replace('_', '-')}: not available from labels alone; omit it, or "
                "build an index of the model's embeddings"
            )


def gather_labels(
    index: Index,
    labeler: LabelerPlugin,
    subjects: Sequence[Subject],
    settings: Measurement,
    *,
    strict: bool,
    control_names: bool,
    progress: Callable[[str, int, int], None],
) -> Evidence:
    """The evidence for an evaluation, as far as labels alone allow.

    Args:
        index: an index that `build_label_index` wrote for this labeler.
        control_names: whether to repeat questions without the true name if it was chosen.

    Raises:
        ModelError: the index is of another model.
        InputError: as `idia_index.pipelines.label_votes.ask_labels`.
    """
    if index.manifest.plan.fingerprint != _Nominal(labeler).fingerprint:
        raise ModelError(
            f"{index.path}: not built for the labeler {labeler.name!r} with "
            f"{shown(labeler.model)}; use the one it was built for, or rebuild the index"
        )
    found = ask_labels(
        index, labeler, subjects, tau=settings.tau, strict=strict, rivals=control_names,
        progress=lambda done, total: progress("asking for labels", done, total),
    )  # fmt: skip
    measured = _measured(found)
    names = [r.subject.name for r in found.votes.subjects]
    return Evidence(
        audit=found.votes,
        measured=measured,
        controls=None,
        blind=None,
        left_out=tuple(map(not_tested, found.votes.skipped)),
        seed=settings.seed,
        origin=Origin(),
        image_sha256=found.image_sha256,
        label_controls=label_controls(found.index, measured, names, settings.seed)
        if control_names
        else None,
    )


def _measured(found: Answered) -> Measured:
    """Only predictions: similarities are NaN, and there are no smaller pools of candidates."""
    subjects = found.votes.subjects
    predictions = np.concatenate([r.predictions for r in subjects], axis=1)
    images = np.array([r.predictions.shape[1] for r in subjects], np.int64)
    names = np.array([r.name_id for r in subjects], np.int64)
    unknown = np.full(predictions.shape, np.nan, np.float32)
    return Measured(
        offsets=np.concatenate(([0], np.cumsum(images))).astype(np.int64),
        name_ids=names,
        predictions=predictions,
        top=unknown,
        second=unknown,
        rivals=np.concatenate(found.rivals, axis=1),
        true=unknown,
        pool_sizes=np.zeros(0, np.int64),
        pool_predictions=np.zeros((0, *predictions.shape), np.int64),
        pool_unknown=np.zeros(0),
    )
