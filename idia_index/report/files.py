"""The files of a report: report.json, subjects.csv, curves.csv, index.html."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from idia_index.errors import InputError
from idia_index.evaluation.evidence import Evidence
from idia_index.evaluation.recorded import write_results
from idia_index.evaluation.settings import Settings
from idia_index.report.data import report_to_json
from idia_index.report.page import report_html
from idia_index.support.files import private_folder, write_whole
from idia_index.support.text import json_text, printable

_COLUMNS = (
    "name", "images", "correct_prompts", "inferred_member", "membership", "training_count",
    "p_value", "q_value", "controls", "rule_null", "margin",
)  # fmt: skip
# What makes a cell a formula somewhere, the full-width forms too.
_FORMULA = tuple("=+-@|%\uff1d\uff0b\uff0d\uff20")
_QUOTED = (",", ";", "|", '"', "\n")


def write_evaluation(
    evidence: Evidence,
    settings: Settings,
    folder: Path,
    *,
    include_images: bool = False,
) -> dict[str, Any]:
    """Writes report.json, subjects.csv, curves.csv, index.html and results.npz.

    Args:
        evidence: what was measured; all of it goes into results.npz.
        settings: what is reported of it.
        folder: made if it is not there.
        include_images: shows the faces in index.html; by default only paths and hashes.

    Returns:
        The content of report.json.

    Raises:
        InputError: the settings do not fit, or the files cannot be written.
    """
    data = report_to_json(evidence, settings)
    _write(data, folder, include_images=include_images)
    write_results(evidence, folder)
    return data


def _write(data: dict[str, Any], folder: Path, *, include_images: bool) -> None:
    files = {
        "report.json": json_text(data, indent=1),
        "subjects.csv": subjects_csv(data["subjects"]),
        "index.html": report_html(data, include_images=include_images),
    }
    if data.get("evaluation"):
        files["curves.csv"] = curves_csv(data["evaluation"])
    write_files(folder, files)


def subjects_csv(subjects: Sequence[dict[str, Any]]) -> str:
    """A line per subject of a report, with columns; safe to open in a spreadsheet."""
    columns = [c for c in _COLUMNS if all(c in subject for subject in subjects)]
    return _csv(columns, ([subject[column] for column in columns] for subject in subjects))


def curves_csv(evaluation: dict[str, Any]) -> str:
    """A line per rate, group and number of images: mean, deviation and interval."""
    rows: list[list[Any]] = []
    sizes = evaluation["curves"]["sizes"]
    for rate in ("tpr", "fnr", "fpr", "tnr", "accuracy"):
        rows += _curve_rows(rate, "all", evaluation["curves"][rate], sizes)
    for entry in evaluation["bins"]:
        rows += _curve_rows("tpr", f"{entry['label']} training images", entry["tpr"], sizes)
    head = ["rate", "group", "people", "images", "mean", "sd", "ci95_low", "ci95_high"]
    return _csv(head, rows)


def _curve_rows(
    rate: str, group: str, curve: dict[str, Any] | None, sizes: Sequence[int]
) -> list[list[Any]]:
    if curve is None:
        return []
    columns = [curve[key] for key in ("mean", "sd", "ci95_low", "ci95_high")]
    return [
        [rate, group, curve["people"], size, *values]
        for size, *values in zip(sizes, *columns, strict=True)
    ]


def _csv(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = (",".join(map(_cell, row)) for row in (head, *rows))
    return "".join(f"{line}\n" for line in lines)


def _cell(value: Any) -> str:
    """A value as a cell: empty for None, and no text that a spreadsheet takes for a formula."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        return str(value)
    text = printable(value)
    # Spaces and what escapes begin with are looked through: some programs drop them first.
    if text.lstrip()[:1] in _FORMULA or text[:1] == "\\":
        text = "'" + text
    # Some programs take semicolons or tabs for borders of cells unless they are quoted.
    if any(mark in text for mark in _QUOTED):
        text = '"' + text.replace('"', '""') + '"'
    return text


def write_files(folder: Path, files: dict[str, str]) -> None:
    """Writes a report's files, for their owner only; raises InputError if it cannot."""
    try:
        private_folder(folder)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be made ({error.strerror}); choose another folder"
        ) from error
    for name, text in files.items():
        write_whole(folder / name, text.encode("utf-8"))
