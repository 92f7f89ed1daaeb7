"""What people read on the terminal: tables and verdicts as text."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping, Sequence

from idia_index import AuditResult, EvaluationResult, QueryResult, SubjectResult
from idia_index.evaluation.records import Metrics
from idia_index.report.format import percent, share_text
from idia_index.report.people import most_associated_first
from idia_index.report.statistics import by_training_count
from idia_index.report.text import ANOTHER
from idia_index.support.text import counted, printable

SUBJECTS_SHOWN = 40


def width(text: str) -> int:
    """Columns that a terminal takes for a text: two for a wide character, none for a mark."""
    return sum(
        0
        if unicodedata.category(c) in ("Mn", "Me", "Cf")
        else 1 + (unicodedata.east_asian_width(c) in "WF")
        for c in printable(text)
    )


def _left(text: str, columns: int) -> str:
    return text + " " * (columns - width(text))


def _right(text: str, columns: int) -> str:
    return " " * (columns - width(text)) + text


def pairs(rows: Mapping[str, str], indent: int = 0) -> str:
    """Lines of name and value, the values aligned."""
    columns = max(map(width, rows), default=0)
    return "\n".join(f"{'':{indent}}{_left(name, columns)}  {rows[name]}" for name in rows)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell; all but the first to the right."""
    widths = [max(map(width, column)) for column in zip(head, *rows, strict=True)]
    lines = []
    for row in (head, ["-" * columns for columns in widths], *rows):
        cells = [_left(row[0], widths[0])]
        cells += [_right(cell, w) for cell, w in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def bullets(items: Sequence[str]) -> str:
    """A line for each note."""
    return "\n".join(f"- {item}" for item in items)


def warning_lines(result: EvaluationResult) -> list[str]:
    """What must stand first of a report."""
    return [f"WARNING: {warning}" for warning in result.warnings]


def query_text(result: QueryResult) -> str:
    """The answer to a query of one subject."""
    (subject,) = result.subjects
    lines = [
        f"{subject.name}: {subject.verdict}.",
        f"{subject.correct_prompts} of {counted(len(result.templates), 'prompt')} choose the name "
        f"among {counted(result.candidates, 'candidate')}, over "
        f"{counted(subject.images, 'image')} (tau {result.tau}).",
        "",
        _votes(result, subject),
    ]
    if result.top is not None:
        shown = _names_shown(subject)
        rows = [[shown(each.name), str(each.votes), percent(each.share)] for each in result.top]
        lines += ["", table(["name", "votes", "share"], rows)]
    return "\n".join([*lines, "", bullets(result.notes)])


def _names_shown(subject: SubjectResult) -> Callable[[str], str]:
    """What stands for a name that was predicted: itself, or that it is another than asked for."""
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
    people = most_associated_first(result)
    rows = [
        [
            s.name,
            str(s.images),
            f"{s.correct_prompts}/{len(result.templates)}",
            "yes" if s.inferred_member else "no",
            s.membership or "?",
        ]
        for s in people[:SUBJECTS_SHOWN]
    ]
    lines = [table(["subject", "images", "prompts", "associated", "truth"], rows)]
    if len(people) > SUBJECTS_SHOWN:
        lines.append(f"... and {len(people) - SUBJECTS_SHOWN} more (--json or --out has all)")
    if result.metrics is not None:
        lines += ["", metrics_text(result.metrics)]
    return "\n".join([*lines, "", bullets(result.notes)])


def metrics_text(metrics: Metrics) -> str:
    """TPR and FPR, and the members by training count."""
    rows = {
        "true positive rate": share_text(metrics.members),
        "false positive rate": share_text(metrics.non_members),
    }
    return pairs(rows | {f"  {title}": share_text(s) for title, s in by_training_count(metrics)})
