"""Defines the rows of each statistic on terminal and page; to show another one, add it here."""

from __future__ import annotations

from collections.abc import Sequence

from idia_index.evaluation.records.curves import Curves, RateCurve
from idia_index.evaluation.records.p_values import PValueSummary
from idia_index.evaluation.records.rates import Metrics, Share
from idia_index.evaluation.records.sensitivity import ByPools, ByTemplates, TauByImages
from idia_index.report.documented import matched_text
from idia_index.report.format import hits_of, p_value, percent, spread
from idia_index.report.language import _, figure, ngettext, number

MOST_COUNTS = 12  # maximum training counts listed one by one


def rate_titles() -> dict[str, str]:
    """The rates that depend on settings, with their titles."""
    return {"tpr": _("members found"), "fpr": _("non-members taken for members")}


def by_training_count(metrics: Metrics | None) -> list[tuple[str, Share]]:
    """The members by training count, if known and few distinct ones."""
    rows = metrics.by_training_count if metrics else ()
    if len(rows) > MOST_COUNTS:
        return []
    return [
        (
            ngettext(
                "Members with {n} training image",
                "Members with {n} training images",
                row.training_count,
            ),
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
        (_("accuracy"), curves.accuracy),
    )
    return [(title, curve) for title, curve in titles if curve is not None]


def sensitivity_rows(
    part: TauByImages | ByTemplates | ByPools,
) -> list[tuple[str, Sequence[object]]]:
    """Titles and values of the rates that are known."""
    rates = ((title, getattr(part, key)) for key, title in rate_titles().items())
    return [(title, values) for title, values in rates if values is not None]


def p_value_rows(summary: PValueSummary, people: int) -> list[tuple[str, str]]:
    """The rows on the p-values of `people` people."""
    matched = "; ".join(
        f"{matched_text(text.split(', '))} ({count})" for text, count in summary.matched_on.items()
    )
    wrong, expected = _("about {number}; nobody knows which"), summary.fdr * summary.discoveries
    rows = [
        (_("people that stand out"), hits_of(summary.discoveries, people)),
        (_("of them wrong"), wrong.format(number=figure(f"{expected:.1g}"))),
        (_("of them known members"), str(summary.discoveries_members)),
        (_("of them known non-members"), str(summary.discoveries_non_members)),
        (
            _("stand out however people depend on each other (e-BH)"),
            hits_of(summary.discoveries_any_dependence, people),
        ),
        (
            _("control names a person"),
            spread(str(summary.controls.fewest), str(summary.controls.most)),
        ),
        (_("matched on"), matched),
        (
            _("chance of a false positive of the plain rule"),
            percent(summary.rule_null.rate, 2),
        ),
    ]
    if small := summary.non_members_small:
        found = _("{few} of {all}, {expected} expected (p = {p})").format(
            few=number(small.at_most_5_percent),
            all=number(small.non_members),
            expected=figure(f"{small.expected:.3g}"),
            p=p_value(small.excess_p_value),
        )
        rows.append((_("non-members with p of at most 0.05"), found))
    return rows
