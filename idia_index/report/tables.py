"""Writes results as CSV for other programs, safe in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from idia_index.evaluation.analysis import Analysis
from idia_index.evaluation.records.curves import RateCurve
from idia_index.report.subject_result import COLUMNS, Cell, SubjectResult, subject_row
from idia_index.support.text import printable

# Characters that start a formula in some program, including full-width forms.
_FORMULA = tuple("=+-@|%\uff1d\uff0b\uff0d\uff20")


def subjects_csv(subjects: Sequence[SubjectResult]) -> str:
    """A line per person, with columns."""
    return csv_text(COLUMNS, map(subject_row, subjects))


def curves_csv(evaluation: Analysis) -> str:
    """A line per rate, group and number of images: mean, deviation and interval."""
    curves, sizes = evaluation.curves, evaluation.curves.sizes
    rows: list[list[Cell]] = []
    for rate in ("tpr", "fnr", "fpr", "tnr", "accuracy"):
        rows += _curve_rows(rate, "all", getattr(curves, rate), sizes)
    for entry in evaluation.bins:
        rows += _curve_rows("tpr", f"{entry.label} training images", entry.tpr, sizes)
    head = ["rate", "group", "people", "images", "mean", "sd", "ci95_low", "ci95_high"]
    return csv_text(head, rows)


def _curve_rows(
    rate: str, group: str, curve: RateCurve | None, sizes: Sequence[int]
) -> list[list[Cell]]:
    if curve is None:
        return []
    columns = (curve.mean, curve.sd, curve.ci95_low, curve.ci95_high)
    return [
        [rate, group, curve.people, size, *values]
        for size, *values in zip(sizes, *columns, strict=True)
    ]


def csv_text(head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    out = io.StringIO()
    # Text is quoted: otherwise some programs split cells at semicolons or tabs.
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerows([_cell(value) for value in row] for row in (head, *rows))
    return out.getvalue()


def _cell(value: Cell) -> Cell:
    """A value as a cell: empty for None, and never a formula to a spreadsheet."""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        return value
    text = printable(value)
    # Leading spaces and escapes are skipped, because some programs drop them.
    return f"'{text}" if text.lstrip()[:1] in _FORMULA or text[:1] == "\\" else text
