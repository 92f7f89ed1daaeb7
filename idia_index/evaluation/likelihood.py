"""What a person's score is worth, by a study of people whose membership is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from idia_index.decide.results import AuditVotes
from idia_index.evaluation.calibration import (
    Calibrator,
    calibrate,
    cllr,
    cross_fitted,
    minimum_cllr,
)
from idia_index.evaluation.measured import Float64
from idia_index.evaluation.name_tests import ControlTests
from idia_index.evaluation.protocol import make_bins
from idia_index.types import Fingerprint

Score = Literal["pmi", "margin"]
Support = Literal[
    "none", "weak", "moderate", "moderately strong", "strong", "very strong", "extremely strong"
]
Withheld = Literal[
    "another model", "another index", "another crop", "too few people", "leak", "of the study",
    "photos", "score",
]  # fmt: skip

SCALE: tuple[tuple[float, Support], ...] = (
    (1e6, "extremely strong"), (1e4, "very strong"), (1e3, "strong"), (1e2, "moderately strong"),
    (10, "moderate"), (2, "weak"),
)  # fmt: skip
"""From which ratio on support has a word: ENFSI, Guideline for Evaluative Reporting in Forensic
Science, 2015."""

LEAST_PEOPLE = 20
"""Members of a study, or of a bin of training counts, and non-members that a calibration takes."""

PHOTOS = 2.0
"""By what factor fewer, or more, photos than anybody's of the study a person may have."""

BEYOND = 0.1
"""How far a score may lie beyond the study's scores, as a share of their range."""


@dataclass(frozen=True)
class StudyPerson:
    """A person of the study: no name and no photo, but for what a calibration takes."""

    member: bool
    training_count: int | None
    images: int
    margin: float
    pmi: float | None


@dataclass(frozen=True, kw_only=True)
class OwnStudy:
    """A study of people whose membership is known, as its report states it.

    Attributes:
        report: the report's file.
        report_sha256: SHA-256 of it.
        fingerprint: the model.
        names_sha256: SHA-256 of the index's names.
        candidates: how many they are.
        kind: index type.
        templates: the templates.
        crop: what was cut out of each image first.
        reference_faces_sha256: of the reference faces; null where other subjects served.
        logit_scale: what cosine similarities were multiplied by.
        leak: whether its members can be told from its non-members without faces.
        bins: where bins of training counts start; null: chosen from the data.
        people: the members and non-members.
        shared: subjects of the audit who are of the study.
    """

    report: str
    report_sha256: str
    fingerprint: Fingerprint
    names_sha256: str
    candidates: int
    kind: str
    templates: tuple[str, ...]
    crop: str
    reference_faces_sha256: str | None
    logit_scale: float
    leak: bool
    bins: tuple[int, ...] | None
    people: tuple[StudyPerson, ...]
    shared: tuple[str, ...]

    @property
    def scored(self) -> bool:
        """Whether PMI is known of everybody."""
        return all(each.pmi is not None for each in self.people)


@dataclass(frozen=True)
class CountCalibration:
    """A calibration on the members with some training counts and all non-members.

    Attributes:
        low, high: training counts from `low` to below `high`; null: no end.
        members: how many they are.
        cllr: as of the whole study.
        minimum_cllr: likewise.
    """

    low: int
    high: int | None
    members: int
    cllr: float
    minimum_cllr: float


@dataclass(frozen=True)
class StudyCalibration:
    """What likelihood ratios were calibrated on.

    Attributes:
        report: the study's report.
        report_sha256: SHA-256 of it.
        score: what was calibrated; null where all ratios are withheld, as what follows.
        members: members of the study.
        non_members: non-members of it.
        images: fewest and most photos of a person of the study.
        scores: their lowest and highest score.
        cllr: cost of the ratios in bits, cross-fitted: 0 is perfect, 1 says nothing.
        minimum_cllr: what of it the score itself leaves, however it is calibrated.
        ratios: the smallest and the largest ratio that the study supports.
        by_training_count: the same by training count, where there are members enough.
        withheld: why all ratios are withheld; null where they are not.
    """

    report: str
    report_sha256: str
    score: Score | None
    members: int
    non_members: int
    images: tuple[int, int]
    scores: tuple[float, float] | None
    cllr: float | None
    minimum_cllr: float | None
    ratios: tuple[float, float] | None
    by_training_count: tuple[CountCalibration, ...]
    withheld: Withheld | None


@dataclass(frozen=True)
class CountRatio:
    """How many times as likely the score is of a member with some training counts.

    Attributes:
        low, high: training counts from `low` to below `high`; null: no end.
        ratio: the likelihood ratio against non-members.
    """

    low: int
    high: int | None
    ratio: float


@dataclass(frozen=True)
class LikelihoodRatio:
    """How many times as likely a person's score is of the study's members as of its non-members.

    Attributes:
        ratio: the likelihood ratio; null where it is withheld.
        support: how strongly it supports membership, or where it is below 1 non-membership, in
            the words of ENFSI's scale of 2015; null where it is withheld.
        by_training_count: the same against members with some training counts.
        withheld: why it is withheld; null where it is not.
    """

    ratio: float | None
    support: Support | None
    by_training_count: tuple[CountRatio, ...]
    withheld: Withheld | None


def support(ratio: float) -> Support:
    """The word of ENFSI's scale for a ratio, or for the reciprocal of one below 1."""
    size = max(ratio, 1 / ratio) * (1 + 1e-9)
    return next((word for least, word in SCALE if size >= least), "none")


def likelihood_ratios(
    study: OwnStudy, audit: AuditVotes, controls: ControlTests, margins: Float64, seed: int
) -> tuple[StudyCalibration, tuple[LikelihoodRatio, ...]]:
    """The ratio of each subject, and what it was calibrated on.

    Args:
        audit: the subjects.
        controls: their PMI.
        margins: float64 [P], their margins.
        seed: of the folds that Cllr is cross-fitted on.
    """
    summary = _summary(study, _withheld(study, audit))
    if summary.withheld is not None:
        none = LikelihoodRatio(None, None, (), summary.withheld)
        return summary, (none,) * len(audit.subjects)
    by_pmi = study.scored and _same_pmi(study, controls)
    own = controls.scores if by_pmi else margins
    scores = np.array([each.pmi if by_pmi else each.margin for each in study.people], np.float64)
    members = np.array([each.member for each in study.people])
    known, others = scores[members], scores[~members]
    whole = calibrate(known, others)
    counts = [each.training_count for each in study.people]
    bins = [
        (each.low, each.high, scores[each.members])
        for each in make_bins(counts, members, study.bins)
        if each.members.sum() >= LEAST_PEOPLE
    ]
    low, high = np.exp(whole.log_ratios[[0, -1]]).tolist()
    summary = replace(
        summary,
        score="pmi" if by_pmi else "margin",
        scores=(float(scores.min()), float(scores.max())),
        cllr=cllr(*cross_fitted(known, others, seed)),
        minimum_cllr=minimum_cllr(known, others),
        ratios=(low, high),
        by_training_count=tuple(
            CountCalibration(
                start, end, len(some), cllr(*cross_fitted(some, others, seed)),
                minimum_cllr(some, others),
            )
            for start, end, some in bins
        ),
    )  # fmt: skip
    by_count = [(start, end, calibrate(some, others)) for start, end, some in bins]
    return summary, tuple(
        _ratio(score, _withheld_of(result.subject.name, result.predictions.shape[1], score,
                                   (study, summary)), whole, by_count)
        for result, score in zip(audit.subjects, own.tolist(), strict=True)
    )  # fmt: skip


def _withheld(study: OwnStudy, audit: AuditVotes) -> Withheld | None:
    """Why the study says nothing of this audit; None where it does."""
    manifest = audit.index.manifest
    plan, members = manifest.plan, sum(each.member for each in study.people)
    found: tuple[tuple[Withheld, bool], ...] = (
        ("another model", bool(plan.fingerprint.differences(study.fingerprint))),
        (
            "another index",
            (plan.names_sha256, manifest.candidates, plan.kind)
            != (study.names_sha256, study.candidates, study.kind)
            or tuple(each.text for each in audit.index.templates) != study.templates,
        ),
        ("another crop", audit.backend.crop != study.crop),
        ("too few people", min(members, len(study.people) - members) < LEAST_PEOPLE),
        ("leak", study.leak),
    )
    return next((why for why, holds in found if holds), None)


def _same_pmi(study: OwnStudy, controls: ControlTests) -> bool:
    """Whether PMI is the same score in both: held against the same other people, or subjects."""
    faces = controls.faces.sha256 if controls.faces else None
    same = faces == study.reference_faces_sha256 and controls.scale.value == study.logit_scale
    return controls.calibrated and same


def _withheld_of(
    name: str, images: int, score: float, of: tuple[OwnStudy, StudyCalibration]
) -> Withheld | None:
    """Why the study says nothing of one subject; None where it does."""
    study, summary = of
    assert summary.scores is not None
    (fewest, most), (low, high) = summary.images, summary.scores
    if name in study.shared:
        return "of the study"
    if not fewest / PHOTOS <= images <= most * PHOTOS:
        return "photos"
    reach = BEYOND * (high - low)
    return None if low - reach <= score <= high + reach else "score"


def _ratio(
    score: float,
    withheld: Withheld | None,
    whole: Calibrator,
    by_count: Sequence[tuple[int, int | None, Calibrator]],
) -> LikelihoodRatio:
    if withheld is not None:
        return LikelihoodRatio(None, None, (), withheld)
    ratio = whole.ratio(score)
    return LikelihoodRatio(
        ratio,
        support(ratio),
        tuple(CountRatio(low, high, fitted.ratio(score)) for low, high, fitted in by_count),
        None,
    )


def _summary(study: OwnStudy, withheld: Withheld | None) -> StudyCalibration:
    members = sum(each.member for each in study.people)
    images = [each.images for each in study.people]
    return StudyCalibration(
        report=study.report,
        report_sha256=study.report_sha256,
        score=None,
        members=members,
        non_members=len(study.people) - members,
        images=(min(images), max(images)),
        scores=None,
        cllr=None,
        minimum_cllr=None,
        ratios=None,
        by_training_count=(),
        withheld=withheld,
    )
