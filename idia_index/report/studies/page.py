"""Renders a study's results as one page: all text is escaped, and nothing is fetched."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

from idia_index.errors import MissingExtraError
from idia_index.evaluation.records.curves import RateCurve
from idia_index.report import figures
from idia_index.report.html import render
from idia_index.report.studies import figures as draw
from idia_index.report.studies.documents import ModelResult, Spread, StudyResults
from idia_index.support.text import counted

LISTED = 600


@dataclass(frozen=True)
class Chart:
    """A figure as a data URI, with a text alternative."""

    uri: str
    caption: str


@dataclass(frozen=True)
class Charts:
    """The figures of each section."""

    rates: tuple[Chart, ...] = ()
    members: tuple[Chart, ...] = ()
    heat: tuple[Chart, ...] = ()
    counts: tuple[Chart, ...] = ()


def study_html(results: StudyResults) -> str:
    """The page of a study's results; without matplotlib, only tables."""
    missing = None
    try:
        figures.check_matplotlib()
    except MissingExtraError as error:
        missing = str(error)
    return render(
        "study.html.j2",
        results=results,
        tables_only=missing,
        charts=Charts() if missing else _charts(results),
        points=_points(results),
        labels=_labels(_points(results)),
        most=results.models[0].confusion.images,
        most_listed=LISTED,
        address=_address,
        spread=_spread,
    )


def _spread(spread: Spread, digits: int = 1) -> str:
    return f"{100 * spread.mean:.{digits}f} ± {100 * spread.sd:.{digits}f}%"


def _address(report: str) -> str:
    """The link from the study's report to a model's page."""
    return quote("../" + re.sub(r"report\.json$", "index.html", report))


def _charts(results: StudyResults) -> Charts:
    counts: tuple[Chart, ...] = ()
    if any(each.people for each in results.training_counts):
        counts = (Chart(draw.training_counts(results.training_counts),
                        "People by number of training images with their name."),)  # fmt: skip
    return Charts(
        rates=tuple(Chart(draw.rates_by_images(m), _title(m)) for m in results.models),
        members=_members_charts(results),
        heat=_heat_charts(results),
        counts=counts,
    )


def _title(model: ModelResult) -> str:
    if model.training_count is None:
        return model.label
    images = counted(model.training_count, "training image")
    return f"{model.group}, {images}" if model.group else images


def _members_charts(results: StudyResults) -> tuple[Chart, ...]:
    lines = _points(results)
    if not lines:
        return ()
    told = "checkpoints" if results.checkpoints else "bins of training images"
    caption = f"Members found over {told}; whiskers: 95% interval."
    return (Chart(draw.members_found(lines, _labels(lines), _axis(results)), caption),)


def _axis(results: StudyResults) -> str:
    return "training images of each member" if results.checkpoints else "training images"


Points = dict[str, dict[str, draw.Point]]


def _labels(lines: Points) -> list[str]:
    """All labels of the lines' points, ascending like those of each line."""
    found = {label for points in lines.values() for label in points}
    return sorted(found, key=lambda label: int(label.partition(" ")[0].replace(",", "")))


def _points(results: StudyResults) -> Points:
    """Members found with the most images, by the line and the label of `_lines`."""
    return {
        line: {
            label: (curve.mean[-1], curve.ci95_low[-1], curve.ci95_high[-1])
            for label, curve in curves.items()
        }
        for line, curves in _lines(results).items()
    }


def _lines(results: StudyResults) -> dict[str, dict[str, RateCurve]]:
    """Members found: by group over checkpoints, ascending, or by model over bins."""
    if not results.checkpoints:
        return {m.label: {b.label: b.tpr for b in m.bins} for m in results.models if m.bins}
    found: dict[str, dict[str, RateCurve]] = {}
    for model in sorted(results.models, key=lambda m: m.training_count or 0):
        if model.training_count is not None and model.curves.tpr is not None:
            curves = found.setdefault(model.group, {})
            curves[str(model.training_count)] = model.curves.tpr
    groups = dict.fromkeys(m.group for m in results.models)  # in the order they were given
    return {group: found[group] for group in groups if group in found}


def _heat_charts(results: StudyResults) -> tuple[Chart, ...]:
    sizes = results.models[0].curves.sizes
    return tuple(
        Chart(
            draw.heat_map([c.mean for c in curves.values()], sizes, list(curves), _axis(results)),
            line or "All checkpoints",
        )
        for line, curves in _lines(results).items()
    )
