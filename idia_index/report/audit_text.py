"""Renders an audit and a query as text for a terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from idia_index.evaluation.likelihood import StudyCalibration
from idia_index.evaluation.records.rates import Metrics
from idia_index.report.format import percent, share_text
from idia_index.report.groups import groups_text
from idia_index.report.likelihood import calibration_rows, ratio_cell, ratio_text, ratios_mean
from idia_index.report.statistics import by_training_count
from idia_index.report.strength import comparison, strength_reason
from idia_index.report.subject_result import SubjectResult
from idia_index.report.text import ANOTHER
from idia_index.support.columns import bullets, pairs, table
from idia_index.support.text import counted, listed

if TYPE_CHECKING:  # avoids a cycle: documents import this module
    from idia_index.report.documents import AuditResult, QueryResult

SUBJECTS_SHOWN = 40
NAMED = 3  # people listed with the same reason


def query_text(result: QueryResult) -> str:
    """The answer to a query of one subject."""
    (subject,) = result.subjects
    lines = [
        f"{subject.label}: {subject.verdict}.",
        f"{subject.correct_prompts} of {counted(len(result.templates), 'prompt')} choose the name "
        f"among {counted(result.candidates, 'candidate')}, over "
        f"{counted(subject.images, 'image')} (tau {result.tau}).",
        *_evidence(subject),
        "",
        _votes(result, subject),
    ]
    if result.top is not None:
        shown = _names_shown(subject)
        rows = [[shown(each.name), str(each.votes), percent(each.share)] for each in result.top]
        lines += ["", table(["name", "votes", "share"], rows)]
    return "\n".join([*lines, "", bullets(result.notes)])


def _evidence(subject: SubjectResult) -> list[str]:
    """The grade and its reason."""
    if subject.strength is None:
        return []
    compared = comparison(subject)
    return [
        *([compared] if compared else []),
        f"Evidence: {subject.strength}. {strength_reason(subject)}",
    ]


def _names_shown(subject: SubjectResult) -> Callable[[str], str]:
    """How to show a predicted name: itself, or as another name."""
    own, named = subject.candidate, subject.rivals_named
    return lambda name: name if named or name == own else ANOTHER


def _votes(result: AuditResult, subject: SubjectResult) -> str:
    shown, rows = _names_shown(subject), []
    for vote in subject.votes:
        chosen = "(tie)" if vote.winner is None else shown(vote.winner)
        mark = "yes" if vote.winner == subject.candidate else ""
        template = result.templates[vote.template]
        rows.append([template, chosen, f"{vote.count}/{subject.images}", mark])
    return table(["prompt", "most frequent name", "images", "true name"], rows)


def audit_text(result: AuditResult) -> str:
    """The table and the rates of an audit."""
    people = result.most_associated_first
    rows = [
        [
            s.label,
            str(s.images),
            f"{s.correct_prompts}/{len(result.templates)}",
            "yes" if s.inferred_member else "no",
            s.strength or "",
            *([ratio_cell(s.likelihood_ratio)] if result.calibration else []),
            s.membership or "?",
        ]
        for s in people[:SUBJECTS_SHOWN]
    ]
    columns = ["subject", "images", "prompts", "associated", "evidence", "truth"]
    if result.calibration:
        columns.insert(-1, "likelihood ratio")
    lines = [table(columns, rows)]
    if len(people) > SUBJECTS_SHOWN:
        lines.append(f"... and {len(people) - SUBJECTS_SHOWN} more (--json or --out has all)")
    if result.metrics is not None:
        lines += ["", metrics_text(result.metrics)]
    if result.groups:
        lines += ["", groups_text(result.groups)]
    if result.calibration:
        lines += ["", *_ratios(result, result.calibration)]
    return "\n".join([*lines, "", bullets(result.notes)])


def _ratios(result: AuditResult, calibration: StudyCalibration) -> list[str]:
    """The calibration of likelihood ratios, and the people for whom they are withheld."""
    lines = [pairs(dict(calibration_rows(calibration))), ratios_mean()]
    if calibration.withheld is not None:
        return lines
    withheld: dict[str, list[str]] = {}
    for subject in result.subjects:
        if subject.likelihood_ratio and subject.likelihood_ratio.withheld:
            withheld.setdefault(ratio_text(subject, calibration), []).append(subject.label)
    for said, people in withheld.items():
        lines.append(f"{listed(people, NAMED)}: {said}")
    return lines


def metrics_text(metrics: Metrics) -> str:
    """TPR and FPR, and the members by training count."""
    rows = {
        "true positive rate": share_text(metrics.members),
        "false positive rate": share_text(metrics.non_members),
    }
    return pairs(rows | {f"  {title}": share_text(s) for title, s in by_training_count(metrics)})
