"""The reports of a study's models -> one document: `idia-index/study-results/1`.

What stands here is taken from the models' report.json and nowhere else, so that a model which was
finished by an earlier run counts like one of this run.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from idia_index.errors import IdiaIndexError
from idia_index.pipelines.studies.models import StudyModel
from idia_index.pipelines.studies.run import ModelRun, Run

FORMAT = "idia-index/study-results/1"
OUTCOMES = ("tp", "fn", "fp", "tn")


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation (with draws - 1) over draws."""

    mean: float
    sd: float


@dataclass(frozen=True)
class Confusion:
    """People by what they are and what is inferred, over draws of the most images.

    Attributes:
        images: attack images of a draw.
        draws: draws.
        members, non_members: how many people.
        counts: people by outcome, "tp", "fn", "fp" and "tn"; those of nobody are left out.
        rates: the same as shares of the members or the non-members.
    """

    images: int
    draws: int
    members: int
    non_members: int
    counts: Mapping[str, Spread]
    rates: Mapping[str, Spread]


@dataclass(frozen=True)
class ModelResult:
    """What one model's report says.

    Attributes:
        label, group, training_count, spec: the model as it was given.
        report: its report.json, relative to the study's folder.
        again: whether an earlier run finished it.
        architecture, activation, weights_sha256: what the model is.
        curves: rates by number of images.
        bins: rates by training count.
        confusion: at the most images.
    """

    label: str
    group: str
    training_count: int | None
    spec: str
    report: str
    again: bool
    architecture: str
    activation: str
    weights_sha256: str
    curves: Mapping[str, Any]
    bins: Sequence[Mapping[str, Any]]
    confusion: Confusion


@dataclass(frozen=True)
class Failure:
    """A model without a report, and why."""

    label: str
    spec: str
    error: str


@dataclass(frozen=True)
class MissingPerson:
    """A person of the study without photos here, with what the published study had."""

    name: str
    membership: str | None
    training_count: int | None
    reason: str


@dataclass(frozen=True)
class HistogramBin:
    """People of the study with `low` <= training count < `high` (null: no end)."""

    low: int
    high: int | None
    people: int
    with_photos: int
    evaluated: int


@dataclass(frozen=True)
class StudyResults:
    """A study's results.

    Attributes:
        format: name and version of the format.
        title, source, study_sha256: the study.
        warnings: what must be read first.
        activation: "as-published" or "as-trained".
        dry_run: whose models saw generated portraits; null for photos.
        tau: correct prompts from which a person is inferred to be a member.
        checkpoints: whether models differ in the number of training images of each member.
        candidates: how many, and what drew them.
        candidate_rule: the same in sentences.
        people: of the study, with photos, without.
        renamed: folders of photos under another name, and whose they are.
        others: people with photos whom the study does not test.
        missing: people of the study without photos.
        training_counts: a histogram of the training counts.
        models: results.
        failed: models without any.
        skipped: files that were left out of everybody's photos, and why.
    """

    format: str
    title: str
    source: str
    study_sha256: str
    warnings: Sequence[str]
    activation: str
    dry_run: str | None
    tau: int
    checkpoints: bool
    candidates: Mapping[str, Any]
    candidate_rule: Sequence[str]
    people: Mapping[str, int]
    renamed: Mapping[str, str]
    others: Sequence[str]
    missing: Sequence[MissingPerson]
    training_counts: Sequence[HistogramBin]
    models: Sequence[ModelResult]
    failed: Sequence[Failure]
    skipped: Sequence[Mapping[str, str]]


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


def results_to_json(results: StudyResults) -> dict[str, Any]:
    """The document as JSON data."""
    return asdict(results)
