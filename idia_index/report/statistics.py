"""The rows that terminal and page show of each statistic; to show another one, add a line here."""

from __future__ import annotations

from collections.abc import Sequence

from idia_index.evaluation.records.curves import Curves, RateCurve
from idia_index.evaluation.records.p_values import PValueSummary
from idia_index.evaluation.records.rates import Metrics, Share
from idia_index.evaluation.records.sensitivity import ByPools, ByTemplates, TauByImages
from idia_index.report.format import p_value, percent
from idia_index.support.text import counted

MOST_COUNTS = 12  # training counts that are listed one by one

RATES = {"tpr": "members found", "fpr": "non-members taken for members"}


def by_training_count(metrics: Metrics | None) -> list[tuple[str, Share]]:
    """The members by training count, where it is known and there are few different ones."""
    rows = metrics.by_training_count if metrics else ()
    if len(rows) > MOST_COUNTS:
        return []
    return [
        (
            f"Members with {counted(row.training_count, 'training image')}",
            Share(row.inferred_members, row.people, row.tpr, row.tpr_ci95),
        )
        for row in rows
        if row.training_count is not None
    ]


def rate_curves(curves: Curves) -> list[tuple[str, RateCurve]]:
    """The rates that are known, with their titles."""
    titles = (
        ("TPR", curves.tpr),
        ("FNR", curves.fnr),
        ("FPR", curves.fpr),
        ("TNR", curves.tnr),
        ("accuracy", curves.accuracy),
    )
    return [(title, curve) for title, curve in titles if curve is not None]


def sensitivity_rows(
    part: TauByImages | ByTemplates | ByPools,
) -> list[tuple[str, Sequence[object]]]:
    """Titles and values of the rates that are known."""
    rates = ((title, getattr(part, key)) for key, title in RATES.items())
    return [(title, values) for title, values in rates if values is not None]


def p_value_rows(summary: PValueSummary, people: int) -> list[tuple[str, str]]:
    """What is stated of the p-values of so many people."""
    matched = "; ".join(f"{text} ({count})" for text, count in summary.matched_on.items())
    e_bh = summary.discoveries_any_dependence
    rows = [
        ("people that stand out", f"{summary.discoveries} of {people}"),
        ("of them wrong", f"about {summary.fdr * summary.discoveries:.1g}; nobody knows which"),
        ("of them known members", str(summary.discoveries_members)),
        ("of them known non-members", str(summary.discoveries_non_members)),
        ("stand out however people depend on each other (e-BH)", f"{e_bh} of {people}"),
        ("control names a person", f"{summary.controls.fewest} to {summary.controls.most}"),
        ("matched on", matched),
        ("chance of a false positive of the plain rule", percent(summary.rule_null.rate, 2)),
    ]
    if small := summary.non_members_small:
        rows.append(
            (
                "non-members with p of at most 0.05",
                f"{small.at_most_5_percent:,} of {small.non_members:,}, {small.expected:.3g} "
                f"expected (p = {p_value(small.excess_p_value)})",
            )
        )
    return rows
