"""The reports of a study's models -> one document: `idia-index/study-results/1`.

What stands here is taken from the models' report.json and nowhere else, so that a model which was
finished by an earlier run counts like one of this run.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from idia_index.errors import IdiaIndexError
from idia_index.pipelines.studies.models import StudyModel
from idia_index.pipelines.studies.run import ModelRun, Run
from idia_index.report.studies.documents import (
    FORMAT,
    Confusion,
    Failure,
    HistogramBin,
    MissingPerson,
    ModelResult,
    Spread,
    StudyResults,
)

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
    reports = [(each, json.loads(each.report.read_text(encoding="utf-8"))) for each in finished]
    study, photos = run.study, run.photos
    return StudyResults(
        format=FORMAT,
        title=study.title,
        source=study.source,
        study_sha256=study.sha256,
        warnings=run.warnings,
        activation=run.activation,
        dry_run=run.dry_run,
        tau=study.settings.tau,
        checkpoints=study.checkpoints,
        candidates={
            "total": len(run.pool.names), "people": run.pool.people, "draw": dict(run.pool.recipe)
        },
        candidate_rule=run.pool.told,
        people={
            "in_study": len(study.people),
            "with_photos": len(photos.subjects),
            "without_photos": len(photos.missing),
            "evaluated": reports[0][1]["evaluation"]["people"]["evaluated"],
        },
        renamed=dict(photos.renamed),
        others=photos.others,
        missing=[
            MissingPerson(m.person.name, m.person.membership, m.person.training_count, m.reason)
            for m in photos.missing
        ],
        training_counts=_histogram(run),
        models=[_model(run, each, report) for each, report in reports],
        failed=[_failure(each.model, each.error) for each in done if each.error is not None],
        skipped=[file for subject in reports[0][1]["subjects"] for file in subject["skipped"]],
    )  # fmt: skip


def _failure(model: StudyModel, error: str) -> Failure:
    return Failure(model.label, model.spec, error)


def _model(run: Run, done: ModelRun, report: Mapping[str, Any]) -> ModelResult:
    fingerprint, evaluation = report["index"]["fingerprint"], report["evaluation"]
    return ModelResult(
        label=done.model.label,
        group=done.model.group,
        training_count=done.model.count,
        spec=done.model.spec,
        report=done.report.relative_to(run.out).as_posix(),
        again=done.again,
        architecture=fingerprint["architecture"],
        activation=fingerprint["activation"],
        weights_sha256=fingerprint["weights_sha256"],
        curves=evaluation["curves"],
        bins=evaluation["bins"],
        confusion=confusion(evaluation),
    )


def confusion(evaluation: Mapping[str, Any]) -> Confusion:
    """The confusion matrix of a report's evaluation, at the most images.

    The members of a draw are always the same, so counts are the rates times their number.
    """
    curves, people = evaluation["curves"], evaluation["people"]
    members, others = people["members"], people["non_members"]
    counts, rates = {}, {}
    for outcome, rate in zip(OUTCOMES, ("tpr", "fnr", "fpr", "tnr"), strict=True):
        if (curve := curves[rate]) is None:
            continue
        total = members if outcome in ("tp", "fn") else others
        spread = Spread(curve["mean"][-1], curve["sd"][-1])
        rates[outcome] = spread
        counts[outcome] = Spread(round(spread.mean * total, 4), round(spread.sd * total, 4))
    return Confusion(curves["sizes"][-1], curves["draws"], members, others, counts, rates)


def _histogram(run: Run) -> list[HistogramBin]:
    """People by training count, in the study's bins; nothing where counts are the checkpoints'."""
    settings = run.study.settings
    counts = {p.name: p.training_count for p in run.study.people if p.training_count is not None}
    if not counts or settings.bins is None:
        return []
    here = {s.name: s for s in run.photos.subjects}
    ends: list[float] = [*settings.bins[1:], math.inf]
    out = []
    for low, high in zip(settings.bins, ends, strict=True):
        inside = [name for name, count in counts.items() if low <= count < high]
        seen = [here[name] for name in inside if name in here]
        kept = [s for s in seen if settings.excludes(s) is None]
        end = None if math.isinf(high) else int(high)
        out.append(HistogramBin(low, end, len(inside), len(seen), len(kept)))
    return out
