"""Writes a report's files: report.json, index.html, tables, Markdown, results.npz and more."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from idia_index.errors import InputError
from idia_index.evaluation.evidence import Evidence
from idia_index.evaluation.settings import Settings
from idia_index.pipelines.recorded_results import write_results
from idia_index.pipelines.report_folder import CHOICES
from idia_index.report.data import evaluation_result
from idia_index.report.documents import EvaluationResult
from idia_index.report.language import LANGUAGES as LANGUAGES
from idia_index.report.markdown import model_card_markdown, summary_markdown
from idia_index.report.page import report_html
from idia_index.report.tables import curves_csv, subjects_csv
from idia_index.support.files import private_folder, write_whole
from idia_index.support.text import json_text


def write_evaluation(
    evidence: Evidence,
    settings: Settings,
    folder: Path,
    *,
    include_images: bool = False,
    language: str = "en",
) -> EvaluationResult:
    """Writes report.json, index.html, tables, Markdown and results.npz.

    Args:
        evidence: what was measured; all of it goes into results.npz.
        settings: what to report.
        folder: created if missing.
        include_images: whether index.html shows faces; by default only paths and hashes.
        language: language of index.html, one of `idia_index.report.language.LANGUAGES`.

    Returns:
        The content of report.json.

    Raises:
        InputError: the settings do not match the evidence, or the files cannot be written.
    """
    result = evaluation_result(evidence, settings)
    files = {
        "report.json": json_text(result.to_dict(), indent=1),
        "subjects.csv": subjects_csv(result.subjects),
        "index.html": report_html(result, include_images=include_images, language=language),
        "curves.csv": curves_csv(result.evaluation),
        "summary.md": summary_markdown(result),
        "model_card.md": model_card_markdown(result),
    }
    if evidence.choices is not None and not _lies(folder / CHOICES, evidence.choices.to_text()):
        files[CHOICES] = evidence.choices.to_text()
    write_files(folder, files)
    write_results(evidence, folder)
    return result


def _lies(file: Path, text: str) -> bool:
    """Whether a file already holds a text, to keep its modification time."""
    return file.is_file() and file.read_bytes() == text.encode("utf-8")


def evaluate_evidence(
    evidence: Evidence,
    settings: Settings,
    out: Path | None = None,
    *,
    include_images: bool = False,
    language: str = "en",
) -> EvaluationResult:
    """Evaluates the evidence; with `out`, writes a report there.

    Raises:
        InputError: as `write_evaluation`.
    """
    if out is None:
        return evaluation_result(evidence, settings)
    return write_evaluation(
        evidence, settings, out, include_images=include_images, language=language
    )


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Writes a report's files, readable only by their owner; raises InputError if that fails."""
    try:
        private_folder(folder)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot be created ({error.strerror}); choose another folder"
        ) from error
    for name, text in files.items():
        write_whole(folder / name, text.encode("utf-8"))
