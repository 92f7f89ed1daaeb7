"""The results of a study: format `idia-index/study-results/1`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

FORMAT = "idia-index/study-results/1"


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

    @property
    def label(self) -> str:
        """As tables show it."""
        return (
            f"{self.low:,} or more" if self.high is None else f"{self.low:,} to {self.high - 1:,}"
        )


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


def results_to_json(results: StudyResults) -> dict[str, Any]:
    """The document as JSON data."""
    return asdict(results)
