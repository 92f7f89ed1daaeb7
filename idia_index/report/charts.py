"""Which figures a page shows of an evaluation, each with its caption and what it says in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from idia_index.errors import MissingExtraError
from idia_index.evaluation.analysis import Analysis
from idia_index.evaluation.records.curves import BinRates, Curves
from idia_index.report import figures as draw
from idia_index.report.documents import EvaluationResult
from idia_index.report.format import auc, percent
from idia_index.report.statistics import RATES
from idia_index.support.text import counted

FEWEST = 20  # people whose p-values make a histogram


@dataclass(frozen=True)
class Chart:
    """A figure as a data URI."""

    uri: str
    alt: str
    caption: str


@dataclass(frozen=True)
class Charts:
    """The figures of each section; none where they cannot be drawn."""

    curves: tuple[Chart, ...] = ()
    roc: tuple[Chart, ...] = ()
    p_values: tuple[Chart, ...] = ()
    sensitivity: tuple[Chart, ...] = ()


def missing_matplotlib() -> str | None:
    """What to say where figures cannot be drawn; None where they can."""
    try:
        draw.check_matplotlib()
    except MissingExtraError as error:
        return str(error)
    return None


def draw_charts(result: EvaluationResult, *, drawn: bool) -> Charts:
    """All figures of an evaluation, or none."""
    if not drawn:
        return Charts()
    evaluation = result.evaluation
    return Charts(
        curves=_curves(evaluation),
        roc=_roc(evaluation),
        p_values=_p_values(result),
        sensitivity=_sensitivity(evaluation),
    )


def _curves(evaluation: Analysis) -> tuple[Chart, ...]:
    curves, bins = evaluation.curves, evaluation.bins
    if curves.tpr is None and curves.fpr is None:
        return ()
    rates = Chart(
        draw.rates_by_images(curves),
        _curve_alt(curves),
        "Rates against the number of attack images.",
    )
    if not bins:
        return (rates,)
    return (
        rates,
        Chart(
            draw.rates_by_bin(bins),
            _bins_alt(bins),
            f"Members found by training frequency, {counted(curves.sizes[-1], 'attack image')}.",
        ),
        Chart(
            draw.heat_map(bins, curves.sizes),
            "Heat map; its numbers are in the table below.",
            "Members found by training frequency and number of attack images.",
        ),
    )


def _curve_alt(curves: Curves) -> str:
    said = [
        f"{title} {percent(curve.mean[0])} with {curves.sizes[0]} and {percent(curve.mean[-1])} "
        f"with {counted(curves.sizes[-1], 'image')}"
        for title, curve in (
            ("true positive rate", curves.tpr),
            ("false positive rate", curves.fpr),
        )
        if curve is not None
    ]
    return "Line chart: " + "; ".join(said)


def _bins_alt(bins: Sequence[BinRates]) -> str:
    said = [f"{entry.label}: {percent(entry.tpr.mean[-1])}" for entry in bins]
    return "Bar chart of members found by training images: " + ", ".join(said)


def _roc(evaluation: Analysis) -> tuple[Chart, ...]:
    roc = evaluation.roc
    if roc is None:
        return ()
    alt = f"ROC curves; the area under the margin's curve is {auc(roc.margin.auc)}"
    uri = draw.roc_curves(roc, evaluation.people.non_members)
    return (Chart(uri, alt, "ROC of the scores, false positive rate on a log scale."),)


def _p_values(result: EvaluationResult) -> tuple[Chart, ...]:
    if len(result.subjects) < FEWEST:
        return ()
    groups = {
        label: [
            s.p_value for s in result.subjects if s.membership == role and s.p_value is not None
        ]
        for label, role in (
            ("members", "member"),
            ("non-members", "non_member"),
            ("not known", None),
        )
    }
    groups = {label: values for label, values in groups.items() if values}
    alt = "Histogram of p-values: " + ", ".join(
        f"{sum(p <= 0.05 for p in values)} of {len(values)} {label} at or below 0.05"
        for label, values in groups.items()
    )
    caption = "P-values; without an association they are spread evenly."
    return (Chart(draw.p_values(groups), alt, caption),)


def _sensitivity(evaluation: Analysis) -> tuple[Chart, ...]:
    parts = evaluation.sensitivity
    surfaces = [
        (title, rows)
        for key, title in RATES.items()
        if (rows := getattr(parts.tau_by_images, key)) is not None
    ]
    if not surfaces:
        return ()
    maps = (
        Chart(
            draw.sensitivity_surface(parts, rows, title),
            f"Map of the share of {title} for every tau and number of images; numbers below",
            f"Share of {title}, for every tau and number of attack images.",
        )
        for title, rows in surfaces
    )
    lines = Chart(
        draw.templates_and_pools(parts),
        "Two line charts; their numbers are in the tables below",
        "With fewer templates (left) or candidates (right).",
    )
    return (*maps, lines)
