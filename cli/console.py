"""What people read on the terminal: tables and verdicts as text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from idia_index.decide.disclosure import may_be_named
from idia_index.decide.results import AuditResult, SubjectResult
from idia_index.decide.votes import TIE
from idia_index.evaluation import Metrics, evaluate_decisions
from idia_index.report import runners_up
from idia_index.report.text import ANOTHER, notes, verdict
from idia_index.support.intervals import Rate
from idia_index.support.text import counted

SUBJECTS_SHOWN = 40


def pairs(rows: Mapping[str, str], indent: int = 0) -> str:
    """Lines of name and value, the values aligned."""
    width = max((len(name) for name in rows), default=0)
    return "\n".join(f"{'':{indent}}{name:<{width}}  {value}" for name, value in rows.items())


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell; all but the first to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = []
    for row in (head, ["-" * width for width in widths], *rows):
        cells = [f"{row[0]:<{widths[0]}}"]
        cells += [f"{cell:>{w}}" for cell, w in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def rate_text(rate: Rate) -> str:
    """A rate with what it is of and its interval, or a dash where it is of nobody."""
    if rate.value is None or rate.ci95 is None:
        return "-"
    low, high = rate.ci95
    return f"{rate.value:6.1%}  ({rate.hits} of {rate.total}; 95 % CI {low:.1%} to {high:.1%})"


def warning_lines(report: Mapping[str, Any]) -> list[str]:
    """What must stand first of a report's data."""
    return [f"WARNING: {warning}" for warning in report["warnings"]]


def pairs_text(share: Mapping[str, Any]) -> str:
    """A share of pairs of people and names with its bootstrapped interval, as reports hold it."""
    low, high = share["ci95"]
    return (
        f"{share['rate']:6.1%}  ({share['hits']:,} of {share['total']:,} pairs; 95 % CI {low:.1%} "
        f"to {high:.1%})"
    )


def query_text(result: AuditResult, top: int | None) -> str:
    """The answer to a query of one subject."""
    (subject,) = result.subjects
    templates = len(result.index.templates)
    lines = [
        f"{subject.subject.name}: {verdict(subject)}.",
        f"{subject.decision.correct_prompts} of {counted(templates, 'prompt')} choose the name "
        f"among {counted(len(result.index), 'candidate')}, over "
        f"{counted(len(subject.subject.images), 'image')} (tau {result.tau}).",
        "",
        _votes(result, subject),
    ]
    if top is not None:
        shown = _names_shown(result, subject)
        rows = [[shown(r["name"]), str(r["votes"]), f"{r['share']:.1%}"]
                for r in runners_up(result, subject, top)]  # fmt: skip
        lines += ["", table(["name", "votes", "share"], rows)]
    return "\n".join([*lines, "", *map("- {}".format, notes(result))])


def _names_shown(result: AuditResult, subject: SubjectResult) -> Callable[[str], str]:
    """What stands for a name that was predicted: itself, or that it is another than asked for."""
    asked = result.index.name(subject.name_id)
    named = may_be_named(subject.predictions, subject.name_id)
    return lambda name: name if named or name == asked else ANOTHER


def _votes(result: AuditResult, subject: SubjectResult) -> str:
    shown, rows = _names_shown(result, subject), []
    for template, winner, count in zip(
        result.index.templates, subject.winners.tolist(), subject.counts.tolist(), strict=True
    ):
        chosen = "(tie)" if winner == TIE else shown(result.index.name(winner))
        mark = "yes" if winner == subject.name_id else ""
        rows.append([template.text, chosen, f"{count}/{len(subject.subject.images)}", mark])
    return table(["prompt", "most frequent name", "images", "true name"], rows)


def audit_text(result: AuditResult) -> str:
    """The table and the rates of an audit."""
    templates = len(result.index.templates)
    people = sorted(result.subjects, key=lambda s: -s.decision.correct_prompts)
    rows = [
        [
            s.subject.name,
            str(len(s.subject.images)),
            f"{s.decision.correct_prompts}/{templates}",
            "yes" if s.decision.inferred_member else "no",
            s.subject.membership or "?",
        ]
        for s in people[:SUBJECTS_SHOWN]
    ]
    lines = [table(["subject", "images", "prompts", "associated", "truth"], rows)]
    if len(people) > SUBJECTS_SHOWN:
        lines.append(f"... and {len(people) - SUBJECTS_SHOWN} more (--json or --out has all)")
    metrics = evaluate_decisions(result.subjects)
    if metrics is not None:
        lines += ["", metrics_text(metrics)]
    return "\n".join([*lines, "", *map("- {}".format, notes(result))])


def metrics_text(metrics: Metrics) -> str:
    """TPR and FPR, and the members by training count."""
    rows = {
        "true positive rate": rate_text(metrics.true_positives),
        "false positive rate": rate_text(metrics.false_positives),
    }
    if any(row.training_count is not None for row in metrics.by_training_count):
        rows |= {
            f"  members with {counted(row.training_count, 'image')}": rate_text(row.inferred)
            for row in metrics.by_training_count
            if row.training_count is not None
        }
    return pairs(rows)
