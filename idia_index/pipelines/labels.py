"""The attack on labels alone: an image and the filled prompts in, the chosen label out.

Every image is asked about once in each template; the names that are chosen are the predictions, and
from there on votes and decisions are those of every audit. Similarities are not known, so that
nothing is that needs them.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from idia_index.decide.decision import check_tau, decide
from idia_index.decide.results import AuditVotes, BackendSummary, SubjectVotes
from idia_index.decide.rivals import rival_spellings
from idia_index.decide.votes import count_votes
from idia_index.encode.backend import Backend
from idia_index.encode.image_bytes import ImageFile
from idia_index.encode.images import decode_image, hash_image, open_image
from idia_index.encode.label_answers import LabelAnswers
from idia_index.errors import InputError, ModelError
from idia_index.pipelines.build import build_index
from idia_index.pipelines.pricing import label_requests
from idia_index.plugins import BackendPlugin, Session
from idia_index.plugins.labeler import LabelerPlugin
from idia_index.prompts.templates import Template
from idia_index.registry import load_labeler
from idia_index.report.data import audit_result
from idia_index.report.documents import AuditResult
from idia_index.search.index import Index
from idia_index.subjects.candidates import near_names
from idia_index.subjects.records import Skipped, SkippedSubject, Subject, skipped_people
from idia_index.support.text import shown
from idia_index.types import Fingerprint, Float32, Int64

KIND = "labels"
NOT_AVAILABLE = (
    "Not available from labels alone: margins, p-values, PMI and what else needs similarities. The "
    "rule under control names takes questions of its own (idia-index plan --calls)."
)

# (images done, images in all)
Progress = Callable[[int, int], None]


def quiet(done: int, total: int) -> None:
    """Progress of a caller that wants none."""


class _Nominal(BackendPlugin):
    """Stands for a labeler where an index is built: every text is the number 1."""

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
    resume: bool = False,
) -> Index:
    """Writes an index of names and templates for a labeler; asks it nothing.

    Raises:
        InputError: as `idia_index.pipelines.build.build_index`.
    """
    backend = Backend(_Nominal(labeler))
    return build_index(path, backend, names, templates, index_type=KIND, resume=resume)


def is_of_labels(index: Index) -> bool:
    """Whether an index is of a labeler, and holds no vectors."""
    return index.manifest.plan.kind == KIND


def load_labeler_for(
    index: Index, *, model: str | None = None, session: Session | None = None
) -> LabelerPlugin:
    """Loads the labeler that an index was built for; raises as `load_labeler`.

    Args:
        index: an index of labels.
        model: another place of the same model; None: where it was.
        session: what a hosted labeler may send where.
    """
    plan = index.manifest.plan
    options = {key: value for key, value in plan.load_options.items() if value is not None}
    return load_labeler(plan.backend, model=model or plan.model, session=session, **options)


def check_labels_alone(**asked: object) -> None:
    """Raises InputError for an option that needs similarities."""
    for option, value in asked.items():
        if value is not None:
            raise InputError(
                f"--{option.replace('_', '-')}: not available from labels alone; leave it out "
                "(--json has all that there is)"
            )


def audit_labels(
    index: Index,
    labeler: LabelerPlugin,
    subjects: Sequence[Subject],
    *,
    tau: int = 1,
    progress: Progress = quiet,
) -> AuditResult:
    """Tests people by protocol `jair2024`, from labels alone.

    Args:
        index: an index that `build_label_index` wrote for this labeler.
        labeler: the model.
        subjects: the people under test; names that are no candidates compete for them alone.
        tau: correct prompts needed.
        progress: called with images done and images in all.

    Raises:
        InputError: tau is out of range, the index is of another labeler, or nobody can be tested.
        ServiceError: the service does not answer as it must; what it answered is kept.
    """
    result = audit_result(label_votes(index, labeler, subjects, tau=tau, progress=progress))
    said = [NOT_AVAILABLE]
    if labeler.most_labels is not None and result.candidates > labeler.most_labels:
        said.append(
            f"The service takes {labeler.most_labels} labels in one question: the names were asked "
            "about in runs, and then the runs' winners. This can differ from one question."
        )
    return replace(result, notes=(*result.notes, *said))


def label_votes(
    index: Index,
    labeler: LabelerPlugin,
    subjects: Sequence[Subject],
    *,
    tau: int = 1,
    progress: Progress = quiet,
) -> AuditVotes:
    """The votes of some people; arguments and errors as those of `audit_labels`."""
    check_tau(tau, len(index.templates))
    if index.manifest.plan.fingerprint != _Nominal(labeler).fingerprint:
        raise ModelError(
            f"{index.path}: not built for the labeler {labeler.name!r} with "
            f"{shown(labeler.model)}; use the one it was built for, or build again"
        )
    names = [subject.name for subject in subjects]
    found = index.find(names)
    missing = [name for name in dict.fromkeys(names) if name not in found]
    ones = np.ones((len(index.templates), len(missing), 1), np.float32)
    view = index.with_names(missing, ones) if missing else index
    ids = view.find(names)
    total = sum(len(subject.images) for subject in subjects)
    calls, labels = label_requests(len(view), labeler.most_labels)
    templates = len(view.templates)
    labeler.announce(total * templates * calls, total * templates * labels, total)
    asker = _Asker(view, labeler)
    results, skipped, done = [], list(skipped_people(subjects)), 0
    for subject in subjects:
        seen: list[tuple[ImageFile, Int64]] = []
        unread: list[Skipped] = []
        for path in subject.images:
            answer = asker.predictions(path)
            if isinstance(answer, Skipped):
                unread.append(answer)
            else:
                seen.append((path, answer))
            done += 1
            progress(done, total)
        if not seen:
            skipped.append(SkippedSubject(subject.name, f"{subject.name!r} has no readable image"))
            continue
        images = tuple(path for path, _ in seen)
        kept = replace(subject, images=images, skipped=(*subject.skipped, *unread))
        table = np.stack([answer for _, answer in seen], axis=1)
        results.append(_votes(view, kept, ids[subject.name], table, tau, subject.name in found))
    if not results:
        raise InputError("nobody can be tested" + (f": {skipped[0].reason}" if skipped else ""))
    summary = BackendSummary(labeler.name, labeler.model, labeler.device, "labels alone",
                             labeler.service)  # fmt: skip
    near = near_names(index, [each.subject.name for each in results])
    told = tuple(replace(each, near_names=near[each.subject.name]) for each in results)
    return AuditVotes(view, summary, tau, told, tuple(skipped))


def _votes(
    index: Index, subject: Subject, name_id: int, predictions: Int64, tau: int, stored: bool
) -> SubjectVotes:
    winners, counts, _ = count_votes(predictions)
    return SubjectVotes(
        subject=subject,
        name_id=name_id,
        in_index=stored,
        predictions=predictions,
        similarities=np.full(predictions.shape, np.nan, np.float32),
        winners=winners,
        counts=counts,
        decision=decide(winners, name_id, tau),
        skipped=subject.skipped,
        rival_spellings=rival_spellings(index, predictions, name_id, subject.name),
    )


@dataclass(frozen=True)
class _Prompts:
    """The labels of one template, and what they are remembered by."""

    labels: list[str]
    sha256: str


class _Asker:
    """Asks about images, each answer once."""

    def __init__(self, index: Index, labeler: LabelerPlugin) -> None:
        self._labeler = labeler
        self._answers = LabelAnswers(Path(index.path))
        self._prompts = [self._filled(index, template) for template in index.templates]

    def _filled(self, index: Index, template: Template) -> _Prompts:
        labels = [template.fill(index.name(place)) for place in range(len(index))]
        of = json.dumps([self._labeler.name, self._labeler.identity, labels])
        return _Prompts(labels, hashlib.sha256(of.encode()).hexdigest())

    def predictions(self, path: ImageFile) -> Int64 | Skipped:
        """The name id of each template, int64 [T]; or why the image cannot be read."""
        try:
            with open_image(path) as file:
                digest = hash_image(file, path)
                keys = [f"{digest}:{prompts.sha256}" for prompts in self._prompts]
                known = [self._answers.get(key) for key in keys]
                image = None
                if any(place is None for place in known):
                    file.seek(0)
                    image = decode_image(file, path)
        except InputError as error:
            return Skipped(path, str(error))
        found = [
            self._asked(image, prompts, key) if place is None and image is not None else place
            for place, prompts, key in zip(known, self._prompts, keys, strict=True)
        ]
        return np.array(found, np.int64)

    def _asked(self, image: Image.Image, prompts: _Prompts, key: str) -> int:
        """The chosen label of all, by runs and their winners where one question takes fewer."""
        places = list(range(len(prompts.labels)))
        while len(places) > 1:
            places = [self._best(image, prompts, run, key) for run in self._runs(places)]
        self._answers.put(key, places[0])
        return places[0]

    def _runs(self, places: list[int]) -> Iterator[list[int]]:
        most = self._labeler.most_labels or len(places)
        for start in range(0, len(places), most):
            yield places[start : start + most]

    def _best(self, image: Image.Image, prompts: _Prompts, run: list[int], key: str) -> int:
        if len(run) == 1:
            return run[0]
        part = f"{key}:{hashlib.sha256(json.dumps(run).encode()).hexdigest()}"
        whole = len(run) == len(prompts.labels)
        known = None if whole else self._answers.get(part)
        if known is None or known not in run:
            known = run[self._labeler.choose(image, [prompts.labels[place] for place in run])]
            if not whole:
                self._answers.put(part, known)
        return known
