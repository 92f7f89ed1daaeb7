"""Builds the documents of an audit and an evaluation from votes and evidence."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import cast

import numpy as np

from idia_index._version import __version__
from idia_index.decide.results import AuditVotes, SubjectVotes
from idia_index.decide.votes import TIE, may_be_named
from idia_index.evaluation.analysis import analyse, select
from idia_index.evaluation.decisions import evaluate_decisions
from idia_index.evaluation.draws import ALGORITHM
from idia_index.evaluation.evidence import Evidence, Origin
from idia_index.evaluation.groups import GroupTest, group_tests
from idia_index.evaluation.likelihood import likelihood_ratios
from idia_index.evaluation.people import p_value_summary, subject_tests
from idia_index.evaluation.records.p_values import NameTest
from idia_index.evaluation.records.rates import Membership
from idia_index.evaluation.settings import Settings
from idia_index.evaluation.strength import grade
from idia_index.report.documents import (
    EVALUATION_FORMAT,
    AuditResult,
    EvaluationResult,
    MeasuredSubject,
    NameShare,
    QueryResult,
    Replay,
)
from idia_index.report.notes import changed_since, notes
from idia_index.report.subject_result import SkippedFile, SkippedPerson, SubjectResult, Vote
from idia_index.report.text import missed_members, report_warnings, verdict
from idia_index.store.summary import summarize
from idia_index.support.intervals import Rate
from idia_index.support.text import labelled


def audit_result(
    votes: AuditVotes,
    tests: Sequence[NameTest] = (),
    groups: tuple[GroupTest, ...] | None = None,
) -> AuditResult:
    """The document of an audit.

    A vote's `winner` is None only for a tie. If `rivals_named` is false, text for readers names
    no one but the subject.

    Args:
        votes: the votes of the subjects.
        tests: each true name against its control names; empty if they were not run.
        groups: tests of groups of people; None if not requested.
    """
    metrics = evaluate_decisions(votes.subjects)
    missed = missed_members(metrics)
    subjects = [_subject(votes, each, missed) for each in votes.subjects]
    if tests:
        subjects = [_tested(s, test) for s, test in zip(subjects, tests, strict=True)]
    found = AuditResult(
        format="idia-index/audit/1",
        protocol="jair2024",
        tau=votes.tau,
        templates=tuple(template.text for template in votes.index.templates),
        candidates=len(votes.index),
        index=summarize(votes.index.path, votes.index.manifest),
        backend=votes.backend,
        subjects=tuple(subjects),
        skipped=tuple(SkippedPerson(each.name, each.reason) for each in votes.skipped),
        metrics=metrics,
        groups=groups,
        calibration=None,
        choices=None,
        notes=(),
    )
    return replace(found, notes=tuple(notes(found)))


def tested_result(evidence: Evidence, settings: Settings | None = None) -> AuditResult:
    """The document of an audit with p-values, or with what labels alone allow.

    Args:
        evidence: what was measured.
        settings: settings of curves; None without curves.
    """
    found = audit_result(evidence.audit, subject_tests(evidence), _groups(evidence))
    found = _with_likelihood_ratios(found, evidence)
    if evidence.choices is not None:
        found = replace(found, choices=evidence.choices.stated(found.tau, settings))
        found = replace(found, notes=(*found.notes, *changed_since(found)))
    if evidence.label_controls is None:
        return found
    pairs = zip(found.subjects, evidence.label_controls, strict=True)
    return replace(
        found,
        subjects=tuple(
            replace(subject, controls=len(each.wins), controls_matched_on=each.by,
                    rule_null=each.share(found.tau))
            for subject, each in pairs
        ),
    )  # fmt: skip


def _with_likelihood_ratios(found: AuditResult, evidence: Evidence) -> AuditResult:
    study, controls = evidence.origin.calibration, evidence.controls
    if study is None or controls is None:
        return found
    calibration, ratios = likelihood_ratios(
        study, evidence.audit, controls, evidence.measured.margins, evidence.seed
    )
    pairs = zip(found.subjects, ratios, strict=True)
    return replace(
        found,
        calibration=calibration,
        subjects=tuple(replace(subject, likelihood_ratio=ratio) for subject, ratio in pairs),
    )


def _groups(evidence: Evidence) -> tuple[GroupTest, ...] | None:
    groups, controls = evidence.origin.groups, evidence.controls
    if groups is None or controls is None:
        return None
    people = [labelled(r.subject.name, r.subject.person) for r in evidence.audit.subjects]
    of_name = {
        who: groups[r.subject.name]
        for who, r in zip(people, evidence.audit.subjects, strict=True)
        if r.subject.name in groups
    }
    groups = {**of_name, **groups}
    return group_tests(people, groups, controls.control_p_values, controls.counts)


def query_result(
    votes: AuditVotes, top: int | None = None, tests: Sequence[NameTest] = ()
) -> QueryResult:
    """The document of a query, with the most frequently predicted names if `top` is given."""
    found = audit_result(votes, tests)
    return QueryResult(**vars(found), top=None if top is None else most_predicted(votes, top))


def most_predicted(votes: AuditVotes, top: int) -> tuple[NameShare, ...]:
    """The names predicted most often for the one subject, over all templates and images."""
    (subject,) = votes.subjects
    ids, counts = np.unique(subject.predictions, return_counts=True)
    best = np.argsort(-counts, kind="stable")[:top]
    total = subject.predictions.size
    return tuple(
        NameShare(votes.index.name(int(ids[i])), int(counts[i]), float(counts[i] / total))
        for i in best
    )


def _subject(votes: AuditVotes, r: SubjectVotes, missed: Rate | None) -> SubjectResult:
    name = votes.index.name
    pairs = enumerate(zip(r.winners.tolist(), r.counts.tolist(), strict=True))
    return SubjectResult(
        name=r.subject.name,
        candidate=name(r.name_id),
        in_index=r.in_index,
        spellings=r.spellings,
        rival_spellings=r.rival_spellings,
        near_names=r.near_names,
        images=len(r.subject.images),
        correct_prompts=r.decision.correct_prompts,
        tau=votes.tau,
        inferred_member=r.decision.inferred_member,
        verdict=verdict(r.decision, missed),
        membership=_membership(r),
        training_count=r.subject.training_count,
        votes=tuple(
            Vote(template, None if winner == TIE else name(winner), count, winner == TIE)
            for template, (winner, count) in pairs
        ),
        rivals_named=may_be_named(r.predictions, r.name_id),
        image_files=_files(r),
        skipped=_skipped(r),
        person_id=r.subject.person,
    )


def _membership(r: SubjectVotes) -> Membership | None:
    return cast("Membership | None", r.subject.membership)


def _files(r: SubjectVotes) -> tuple[str, ...]:
    return tuple(os.fsdecode(path) for path in r.subject.images)


def _skipped(r: SubjectVotes) -> tuple[SkippedFile, ...]:
    return tuple(SkippedFile(os.fsdecode(each.path), each.reason) for each in r.skipped)


def _tested(subject: SubjectResult, test: NameTest) -> SubjectResult:
    return replace(
        subject,
        **vars(test),
        strength=grade(
            subject.correct_prompts,
            subject.inferred_member,
            (test.control_p_value, test.name_fixed_p_value),
            subject.images,
        ),
    )


def evaluation_result(evidence: Evidence, settings: Settings) -> EvaluationResult:
    """The document of an evaluation.

    Raises:
        InputError: the settings leave nobody, or do not match what was measured.
    """
    chosen, left_out = select(evidence, settings)
    analysis, firmness = analyse(chosen, settings)
    chosen = replace(chosen, audit=replace(chosen.audit, skipped=()))  # they are in `left_out`
    found, summary = tested_result(chosen, settings), p_value_summary(chosen)
    subjects = zip(found.subjects, firmness, strict=True)
    found = replace(
        found,
        format=EVALUATION_FORMAT,
        subjects=tuple(replace(subject, firmness=firm) for subject, firm in subjects),
    )
    return EvaluationResult(
        **vars(found),
        warnings=report_warnings(evidence.origin.warnings, analysis.baselines, summary),
        left_out=left_out,
        p_values=summary,
        evaluation=analysis,
        replay=_replay(evidence, chosen),
        image_sha256=evidence.image_sha256,
    )


def _replay(evidence: Evidence, chosen: Evidence) -> Replay:
    origin, reported = evidence.origin, {r.subject.identity for r in chosen.audit.subjects}
    return Replay(
        command="idia-index replay report.json",
        drawing=ALGORITHM,
        measured_with_seed=evidence.seed,
        **{each.name: getattr(origin, each.name) for each in fields(Origin)},
        versions={
            "idia-index": __version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        also_measured=tuple(
            _also_measured(r, place)
            for place, r in enumerate(evidence.audit.subjects)
            if r.subject.identity not in reported
        ),
    )


def _also_measured(r: SubjectVotes, place: int) -> MeasuredSubject:
    """A subject excluded by the settings whose images are used for the p-values of others."""
    return MeasuredSubject(
        name=r.subject.name,
        place=place,
        membership=_membership(r),
        training_count=r.subject.training_count,
        image_files=_files(r),
        skipped=_skipped(r),
        person_id=r.subject.person,
    )
