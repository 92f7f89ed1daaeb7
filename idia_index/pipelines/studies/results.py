"""Combines the reports of a study's models into one document: `idia-index/study-results/1`.

Everything is read from the models' report.json, so a model finished by an earlier run counts like
one of this run.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence

from idia_index.errors import IdiaIndexError
from idia_index.evaluation.analysis import Analysis
from idia_index.pipelines.studies.models import StudyModel
from idia_index.pipelines.studies.run import ModelRun, Run
from idia_index.prompts.names import name_key
from idia_index.report.documents import EvaluationResult
from idia_index.report.studies.documents import (
    FORMAT,
    Candidates,
    Confusion,
    Failure,
    HistogramBin,
    MissingPerson,
    ModelResult,
    PersonResult,
    Spread,
    StudyPeople,
    StudyResults,
)
from idia_index.report.subject_result import SubjectResult
from idia_index.support.documents import from_json

__all__ = ["ModelResult", "Spread", "StudyResults", "confusion", "study_results"]

OUTCOMES = ("tp", "fn", "fp", "tn")


def study_results(run: Run, done: Sequence[ModelRun]) -> StudyResults:
    """The document of a study.

    Raises:
        IdiaIndexError: no model was finished; the message is the first one's.
    """
    finished = [each for each in done if each.error is None]
    if not finished:
        raise IdiaIndexError(done[0].error or "no model")
    reports = [
        from_json(EvaluationResult, json.loads(each.report.read_text(encoding="utf-8")))
        for each in finished
    ]
    first, study, photos = reports[0], run.study, run.photos
    return StudyResults(
        format=FORMAT,
        title=study.title,
        source=study.source,
        study_sha256=study.sha256,
        warnings=tuple(run.warnings),
        activation=run.activation,
        dry_run=run.dry_run,
        tau=study.settings.tau,
        checkpoints=study.checkpoints,
        templates=first.templates,
        candidates=Candidates(
            len(run.pool.names), run.pool.people, run.pool.sha256, dict(run.pool.recipe)
        ),
        candidate_rule=run.pool.told,
        people=StudyPeople(
            len(study.people), len(photos.subjects), len(photos.missing),
            first.evaluation.people.evaluated,
        ),
        renamed=dict(photos.renamed),
        others=photos.others,
        missing=tuple(
            MissingPerson(m.person.name, m.person.membership, m.person.training_count, m.reason)
            for m in photos.missing
        ),
        training_counts=_histogram(run),
        models=tuple(_model(run, *each) for each in zip(finished, reports, strict=True)),
        failed=tuple(_failure(each.model, each.error) for each in done if each.error is not None),
        skipped=tuple(file for subject in first.subjects for file in subject.skipped),
    )  # fmt: skip


def _failure(model: StudyModel, error: str) -> Failure:
    return Failure(model.label, model.spec, error)


def _model(run: Run, done: ModelRun, report: EvaluationResult) -> ModelResult:
    fingerprint = report.index.fingerprint
    return ModelResult(
        label=done.model.label,
        group=done.model.group,
        training_count=done.model.count,
        spec=done.model.spec,
        report=done.report.relative_to(run.out).as_posix(),
        index=run.index(done.model).relative_to(run.out).as_posix(),
        again=done.again,
        architecture=fingerprint.architecture,
        activation=fingerprint.activation,
        weights_sha256=fingerprint.weights_sha256,
        curves=report.evaluation.curves,
        bins=report.evaluation.bins,
        confusion=confusion(report.evaluation),
        people=tuple(_person(subject, report.image_sha256) for subject in report.subjects),
    )


def _person(subject: SubjectResult, image_sha256: Mapping[str, str]) -> PersonResult:
    photos = "".join(image_sha256[file] for file in subject.image_files)
    return PersonResult(
        key=name_key(subject.name),
        name=subject.name,
        membership=subject.membership,
        training_count=subject.training_count,
        photos_sha256=hashlib.sha256(photos.encode("ascii")).hexdigest(),
        images=subject.images,
        correct_prompts=subject.correct_prompts,
        inferred_member=subject.inferred_member,
        margin=subject.margin,
        p_value=subject.p_value,
    )


def confusion(evaluation: Analysis) -> Confusion:
    """The confusion matrix of a report's evaluation, at the most images.

    A draw always has the same members, so counts are the rates times their number.
    """
    curves, people = evaluation.curves, evaluation.people
    counts, rates = {}, {}
    by_outcome = zip(OUTCOMES, (curves.tpr, curves.fnr, curves.fpr, curves.tnr), strict=True)
    for outcome, curve in by_outcome:
        if curve is not None:
            spread = Spread(curve.mean[-1], curve.sd[-1])
            total = people.members if outcome in ("tp", "fn") else people.non_members
            rates[outcome] = spread
            counts[outcome] = Spread(round(spread.mean * total, 4), round(spread.sd * total, 4))
    return Confusion(
        curves.sizes[-1], curves.draws, people.members, people.non_members, counts, rates
    )


def _histogram(run: Run) -> tuple[HistogramBin, ...]:
    """People by training count, in the study's bins; empty if counts belong to checkpoints."""
    settings = run.study.settings
    counts = {p.name: p.training_count for p in run.study.people if p.training_count is not None}
    if not counts or settings.bins is None:
        return ()
    here = {s.name: s for s in run.photos.subjects}
    ends: list[float] = [*settings.bins[1:], math.inf]
    out = []
    for low, high in zip(settings.bins, ends, strict=True):
        inside = [name for name, count in counts.items() if low <= count < high]
        seen = [here[name] for name in inside if name in here]
        kept = [s for s in seen if settings.excludes(s) is None]
        end = None if math.isinf(high) else int(high)
        out.append(HistogramBin(low, end, len(inside), len(seen), len(kept)))
    return tuple(out)
