"""The results of a study: format `idia-index/study-results/1`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from idia_index.evaluation.records.curves import BinRates, Curves
from idia_index.evaluation.records.rates import Membership
from idia_index.report.subject_result import SkippedFile
from idia_index.support.documents import Json

FORMAT: Literal["idia-index/study-results/1"] = "idia-index/study-results/1"


@dataclass(frozen=True)
class Spread:
    """Mean and standard deviation (with draws - 1) over draws."""

    mean: float
    sd: float


@dataclass(frozen=True)
class Confusion:
    """People by membership and inference, over draws of the most images.

    Attributes:
        images: attack images per draw.
        draws: number of draws.
        members, non_members: numbers of people.
        counts: people by outcome, "tp", "fn", "fp" and "tn"; omitted if of nobody.
        rates: the same as shares of the members or the non-members.
    """

    images: int
    draws: int
    members: int
    non_members: int
    counts: Mapping[str, Spread]
    rates: Mapping[str, Spread]


@dataclass(frozen=True)
class PersonResult:
    """One person's result under one model, to compare models.

    Attributes:
        key: the normalized name: the same for a person under any model.
        photos_sha256: SHA-256 over the person's photos, in order: the same for the same photos.
        images: number of photos used.
        correct_prompts: templates whose winner is the person's name.
        inferred_member: whether these are tau or more.
        margin: mean similarity of the photos to the name minus that to the best other.
        p_value: the name's among control names, and the photos' among other people's.
    """

    key: str
    name: str
    membership: Membership | None
    training_count: int | None
    photos_sha256: str
    images: int
    correct_prompts: int
    inferred_member: bool
    margin: float | None
    p_value: float | None


@dataclass(frozen=True)
class ModelResult:
    """The content of one model's report.

    Attributes:
        label, group, training_count, spec: the model as given.
        report: its report.json, relative to the study's folder.
        index: its index, likewise.
        again: whether an earlier run finished it.
        architecture, activation, weights_sha256: the model's identity.
        curves: rates by number of images.
        bins: rates by training count.
        confusion: at the most images.
        people: everyone evaluated, in the study's order.
    """

    label: str
    group: str
    training_count: int | None
    spec: str
    report: str
    index: str
    again: bool
    architecture: str
    activation: str
    weights_sha256: str
    curves: Curves
    bins: tuple[BinRates, ...]
    confusion: Confusion
    people: tuple[PersonResult, ...]


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
    """People of the study with `low` <= training count < `high` (null: unlimited)."""

    low: int
    high: int | None
    people: int
    with_photos: int
    evaluated: int

    @property
    def label(self) -> str:
        """The label in tables."""
        return (
            f"{self.low:,} or more" if self.high is None else f"{self.low:,} to {self.high - 1:,}"
        )


@dataclass(frozen=True)
class Candidates:
    """The candidates.

    Attributes:
        total: number of candidates.
        people: how many of them are people's names.
        names_sha256: SHA-256 of candidates.txt.
        draw: how to repeat the draw of the others; empty if none was drawn.
    """

    total: int
    people: int
    names_sha256: str
    draw: Mapping[str, Json]


@dataclass(frozen=True)
class StudyPeople:
    """Numbers of the study's people with photos, and evaluated."""

    in_study: int
    with_photos: int
    without_photos: int
    evaluated: int


@dataclass(frozen=True)
class StudyResults:
    """A study's results.

    Attributes:
        format: name and version of the format.
        title, source, study_sha256: the study.
        warnings: what a reader must see first.
        activation: "as-published" or "as-trained".
        dry_run: whose models saw generated portraits; null if photos were used.
        tau: correct prompts from which a person is inferred to be a member.
        checkpoints: whether models differ in the number of training images of each member.
        templates: the templates, each with its placeholder.
        candidates: their number, and how they were drawn.
        candidate_rule: the same in sentences.
        people: numbers of the study's people, with and without photos.
        renamed: folders of photos under another name, and the person's.
        others: people with photos whom the study does not test.
        missing: people of the study without photos.
        training_counts: a histogram of the training counts.
        models: results.
        failed: models without any.
        skipped: photos of any person that were left out, and why.
    """

    format: Literal["idia-index/study-results/1"]
    title: str
    source: str
    study_sha256: str
    warnings: tuple[str, ...]
    activation: Literal["as-published", "as-trained"]
    dry_run: Literal["demo", "models"] | None
    tau: int
    checkpoints: bool
    templates: tuple[str, ...]
    candidates: Candidates
    candidate_rule: tuple[str, ...]
    people: StudyPeople
    renamed: Mapping[str, str]
    others: tuple[str, ...]
    missing: tuple[MissingPerson, ...]
    training_counts: tuple[HistogramBin, ...]
    models: tuple[ModelResult, ...]
    failed: tuple[Failure, ...]
    skipped: tuple[SkippedFile, ...]
