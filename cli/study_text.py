"""A study's results as text for a terminal."""

from __future__ import annotations

from idia_index.pipelines.studies.results import ModelResult, Spread, StudyResults
from idia_index.support.columns import table
from idia_index.support.text import counted

MISSING_SHOWN = 10


def study_text(results: StudyResults) -> str:
    """The warnings, who is missing, and a line per model."""
    people = results.people
    parts = [
        results.title,
        "\n".join(results.warnings),
        "\n".join(results.candidate_rule),
        f"{people.evaluated} of {people.in_study} people evaluated; "
        f"{people.without_photos} without photos{_missing(results)}",
        _models(results),
    ]
    return "\n\n".join(parts)


def _missing(results: StudyResults) -> str:
    if not results.missing:
        return ""
    first = [
        f"  {each.name}: {each.membership or 'membership unknown'}"
        + ("" if each.training_count is None else f", {counted(each.training_count, 'caption')}")
        for each in results.missing[:MISSING_SHOWN]
    ]
    more = len(results.missing) - len(first)
    return ":\n" + "\n".join(first) + (f"\n  and {more} more, in report.json" if more else "")


def _models(results: StudyResults) -> str:
    images = results.models[0].confusion.images
    head = ["model", f"TPR, {counted(images, 'image')}", "95 % interval", "FPR", "95 % interval"]
    return table(head, [_row(model) for model in results.models])


def _row(model: ModelResult) -> list[str]:
    cells = [model.label]
    for outcome, rate in (("tp", "tpr"), ("fp", "fpr")):
        curve = getattr(model.curves, rate)
        if curve is None:
            cells += ["", ""]
            continue
        low, high = curve.ci95_low[-1], curve.ci95_high[-1]
        cells += [_spread(model.confusion.rates[outcome]), f"{low:.1%} to {high:.1%}"]
    return cells


def _spread(spread: Spread) -> str:
    return f"{spread.mean:.1%} +- {spread.sd:.1%}"
