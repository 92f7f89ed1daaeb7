"""An audit as one page: no script, no font, no request, readable printed and in greyscale."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from idia_index.audit import AuditResult, SubjectResult
from idia_index.evaluation import Metrics, evaluate_decisions
from idia_index.statistics import Rate
from idia_index.votes import TIE
from idia_index.wording import notes, verdict

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff;
  max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: .2rem } h2 { font-size: 1.2rem; margin-top: 2.2rem }
.lead { color: #444; margin-top: 0 }
.scroll { overflow-x: auto }
table { border-collapse: collapse; font-size: .92rem; width: 100% }
th, td { text-align: left; padding: .3rem .7rem; border-bottom: 1px solid #ddd;
  vertical-align: top }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
svg { display: block; min-width: 10rem }
details { margin: .1rem 0 } summary { cursor: pointer }
code, .mono { font: .85rem/1.4 ui-monospace, monospace; overflow-wrap: anywhere }
@media print { body { max-width: none; margin: 0; font-size: 11px } details { display: none }
  tr { break-inside: avoid } }
"""

_ROLE = {"member": "member", "non_member": "non-member", None: "not known"}


def audit_html(result: AuditResult) -> str:
    """The page of an audit; every text in it is escaped."""
    metrics = evaluate_decisions(result.subjects)
    associated = sum(r.decision.inferred_member for r in result.subjects)
    parts = [
        "<h1>Identity inference audit</h1>",
        f"<p class=lead>{escape(result.index.manifest.plan.fingerprint.architecture)}, "
        f"{len(result.index.templates)} prompts &times; {len(result.index):,} candidate names, "
        f"tau {result.tau}</p>",
        f"<p>For <strong>{associated} of {len(result.subjects)}</strong> subjects the model "
        "associates the face with the name.</p>",
        _list(notes(result)),
        _metrics(metrics) if metrics else "",
        "<h2>Subjects</h2>",
        _subjects(result),
        _skipped(result.subjects),
        "<h2>What was tested</h2>",
        _manifest(result),
    ]
    return (
        "<!doctype html>\n<html lang=en><head><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width, initial-scale=1">'
        f"<title>Identity inference audit</title><style>{_STYLE}</style></head><body>\n"
        + "\n".join(part for part in parts if part)
        + "\n</body></html>\n"
    )


def _list(items: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"


def _table(head: Sequence[tuple[str, bool]], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are HTML already; `head` says of each column whether it is numbers."""
    marks = [" class=n" if number else "" for _, number in head]
    top = "".join(f"<th{m}>{escape(text)}</th>" for m, (text, _) in zip(marks, head, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{m}>{cell}</td>" for m, cell in zip(marks, row, strict=True)) + "</tr>"
        for row in rows
    )
    return f"<div class=scroll><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"


def _bar(rate: Rate) -> str:
    """A rate as a bar from 0 to 100 % with its interval as a whisker."""
    if rate.value is None or rate.ci95 is None:
        return ""
    low, high = (100 * bound for bound in rate.ci95)
    label = f"{rate.value:.1%}, 95 % interval {low:.1f} % to {high:.1f} %"
    return (
        f'<svg viewBox="0 0 100 10" width="100%" height="16" preserveAspectRatio="none" role=img '
        f'aria-label="{label}"><title>{label}</title>'
        '<rect x="0" y="1" width="100" height="8" fill="#eee"/>'
        f'<rect x="0" y="1" width="{100 * rate.value:.2f}" height="8" fill="#56789a"/>'
        f'<rect x="{low:.2f}" y="4.2" width="{max(high - low, 0.4):.2f}" height="1.6" '
        'fill="#111"/></svg>'
    )


def _rate_row(name: str, rate: Rate) -> list[str]:
    if rate.value is None or rate.ci95 is None:
        return [escape(name), "0", "", "", ""]
    low, high = rate.ci95
    return [
        escape(name),
        f"{rate.hits} of {rate.total}",
        f"{rate.value:.1%}",
        f"{low:.1%} to {high:.1%}",
        _bar(rate),
    ]


def _metrics(metrics: Metrics) -> str:
    rows = [
        _rate_row("Members found (true positive rate)", metrics.true_positives),
        *(
            _rate_row(f"\u2003with {row.training_count} training images", row.inferred)
            for row in metrics.by_training_count
            if row.training_count is not None
        ),
        _rate_row("Non-members taken for members (false positive rate)", metrics.false_positives),
    ]
    head = [("", False), ("people", True), ("rate", True), ("95 % interval", True), ("", False)]
    return "<h2>Rates where the truth is known</h2>" + _table(head, rows)


def _subjects(result: AuditResult) -> str:
    head = [
        ("subject", False), ("prompts", True), ("finding", False), ("truth", False),
        ("training images", True), ("images", True),
    ]  # fmt: skip
    people = sorted(result.subjects, key=lambda r: -r.decision.correct_prompts)
    return _table(head, (_subject_row(result, r) for r in people))


def _subject_row(result: AuditResult, r: SubjectResult) -> list[str]:
    count = r.subject.training_count
    return [
        f"<details><summary><bdi>{escape(r.subject.name)}</bdi></summary>{_votes(result, r)}</details>",
        f"{r.decision.correct_prompts} of {len(result.index.templates)}",
        escape(verdict(r)),
        _ROLE[r.subject.membership],
        "" if count is None else str(count),
        str(len(r.subject.images)),
    ]


def _votes(result: AuditResult, r: SubjectResult) -> str:
    rows = (
        [
            escape(template.text),
            "tie, no winner" if winner == TIE else f"<bdi>{escape(result.index.name(winner))}</bdi>",
            f"{count} of {len(r.subject.images)}",
        ]
        for template, winner, count in zip(
            result.index.templates, r.winners.tolist(), r.counts.tolist(), strict=True
        )
    )
    return _table([("prompt", False), ("most frequent name", False), ("images", True)], rows)


def _skipped(results: Iterable[SubjectResult]) -> str:
    reasons = [skipped.reason for r in results for skipped in r.skipped]
    return "<h2>Files left out</h2>" + _list(reasons) if reasons else ""


def _manifest(result: AuditResult) -> str:
    plan = result.index.manifest.plan
    rows = {
        "model": f"{plan.model} ({plan.backend})",
        "weights": f"SHA-256 {plan.fingerprint.weights_sha256}",
        "activation": plan.fingerprint.activation,
        "tokenizer": plan.fingerprint.tokenizer,
        "preprocessing": plan.fingerprint.preprocessing,
        "images encoded by": f"{result.backend['name']} on {result.backend['device']}, "
        f"{result.backend['precision']}",
        "index": f"{plan.kind}, {'exact' if plan.exact else 'approximate'}",
        "names": f"SHA-256 {plan.names_sha256}",
        "sampled from": str(plan.pool["pool"]) if plan.pool else "no pool",
        "built with": ", ".join(f"{k} {v}" for k, v in result.index.manifest.versions.items()),
    }
    return _table(
        [("", False), ("", False)],
        ([escape(name), f"<span class=mono>{escape(value)}</span>"] for name, value in rows.items()),
    )
