"""Selects the figures of an evaluation's page, each with a caption and a text alternative."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from idia_index.errors import MissingExtraError
from idia_index.evaluation.analysis import Analysis
from idia_index.evaluation.records.curves import BinRates, Curves
from idia_index.report import figures as draw
from idia_index.report.documents import EvaluationResult
from idia_index.report.format import auc, bin_label, percent
from idia_index.report.language import _, ngettext
from idia_index.report.statistics import rate_titles

FEWEST = 20  # minimum people for a histogram of p-values


@dataclass(frozen=True)
class Chart:
    """A figure as a data URI."""

    uri: str
    alt: str
    caption: str


@dataclass(frozen=True)
class Charts:
    """The figures of each section; none if they cannot be drawn."""

    curves: tuple[Chart, ...] = ()
    roc: tuple[Chart, ...] = ()
    p_values: tuple[Chart, ...] = ()
    sensitivity: tuple[Chart, ...] = ()


def has_matplotlib() -> bool:
    """Whether figures can be drawn."""
    try:
        draw.check_matplotlib()
    except MissingExtraError:
        return False
    return True


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
        _("Rates against the number of attack images."),
    )
    if not bins:
        return (rates,)
    return (
        rates,
        Chart(
            draw.rates_by_bin(bins),
            _bins_alt(bins),
            ngettext(
                "Members found by training frequency, {n} attack image.",
                "Members found by training frequency, {n} attack images.",
                curves.sizes[-1],
            ),
        ),
        Chart(
            draw.heat_map(bins, curves.sizes),
            _("Heat map; its numbers are in the table below."),
            _("Members found by training frequency and number of attack images."),
        ),
    )


def _curve_alt(curves: Curves) -> str:
    said = []
    titles = ((_("true positive rate"), curves.tpr), (_("false positive rate"), curves.fpr))
    for title, curve in titles:
        if curve is not None:
            sentence = ngettext(
                "{title} {first} with {fewest} and {last} with {n} image",
                "{title} {first} with {fewest} and {last} with {n} images",
                curves.sizes[-1],
            )
            first, last = percent(curve.mean[0]), percent(curve.mean[-1])
            said.append(
                sentence.format(title=title, first=first, fewest=curves.sizes[0], last=last)
            )
    return _("Line chart: {rates}").format(rates="; ".join(said))


def _bins_alt(bins: Sequence[BinRates]) -> str:
    said = [f"{bin_label(entry)}: {percent(entry.tpr.mean[-1])}" for entry in bins]
    title = _("Bar chart of members found by training images: {shares}")
    return title.format(shares=", ".join(said))


def _roc(evaluation: Analysis) -> tuple[Chart, ...]:
    roc = evaluation.roc
    if roc is None:
        return ()
    alt = caption = _("ROC of the scores, false positive rate on a log scale.")
    if roc.margin is not None:
        alt = _("ROC curves; the area under the margin's curve is {area}").format(
            area=auc(roc.margin.auc)
        )
    uri = draw.roc_curves(roc, evaluation.people.non_members)
    return (Chart(uri, alt, caption),)


def _p_values(result: EvaluationResult) -> tuple[Chart, ...]:
    if len(result.subjects) < FEWEST:
        return ()
    groups = {
        label: [
            s.p_value for s in result.subjects if s.membership == role and s.p_value is not None
        ]
        for label, role in (
            (_("members"), "member"),
            (_("non-members"), "non_member"),
            (_("not known"), None),
        )
    }
    groups = {label: values for label, values in groups.items() if values}
    if not groups:
        return ()
    said = [
        _("{few} of {all} {group} at or below 0.05").format(
            few=sum(p <= 0.05 for p in values), all=len(values), group=label
        )
        for label, values in groups.items()
    ]
    alt = _("Histogram of p-values: {groups}").format(groups=", ".join(said))
    caption = _("P-values; without an association they are spread evenly.")
    return (Chart(draw.p_values(groups), alt, caption),)


def _sensitivity(evaluation: Analysis) -> tuple[Chart, ...]:
    parts = evaluation.sensitivity
    surfaces = [
        (title, rows)
        for key, title in rate_titles().items()
        if (rows := getattr(parts.tau_by_images, key)) is not None
    ]
    if not surfaces:
        return ()
    maps = (
        Chart(
            draw.sensitivity_surface(parts, rows, title),
            _("Map of rates ({title}) for every tau and number of images; numbers below").format(
                title=title
            ),
            _("Rate ({title}) for every tau and number of attack images.").format(title=title),
        )
        for title, rows in surfaces
    )
    lines = Chart(
        draw.templates_and_pools(parts),
        _("Two line charts; their numbers are in the tables below"),
        _("With fewer templates (left) or candidates (right)."),
    )
    return (*maps, lines)
