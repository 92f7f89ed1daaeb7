"""Conducts a study: from its file, folders and models to its report."""

from __future__ import annotations

from collections.abc import Sequence
from csv import writer
from io import StringIO
from pathlib import Path
from typing import Any

from idia_index.pipelines.report_files import write_files
from idia_index.pipelines.studies.definition import Study
from idia_index.pipelines.studies.models import Activation, StudyModel
from idia_index.pipelines.studies.photos import find_photos
from idia_index.pipelines.studies.pool import paper_pool, pool_of_tested
from idia_index.pipelines.studies.results import study_results
from idia_index.pipelines.studies.run import DryRun, Load, Run, run_models
from idia_index.plugins import Engine
from idia_index.report.studies.documents import StudyResults
from idia_index.report.studies.page import study_html
from idia_index.support.documents import to_json
from idia_index.support.text import json_text
from idia_index.types import StageProgress

REPORT = "report"


def plan_run(
    study: Study,
    folders: Sequence[Path],
    out: Path,
    *,
    activation: Activation = "as-trained",
    dry_run: DryRun | None = None,
    tested_only: bool = False,
    strict: bool = False,
) -> Run:
    """Finds the photos and chooses the candidates.

    Raises:
        InputError: nobody has photos, or the candidates cannot be drawn.
    """
    photos = find_photos(study, folders)
    if tested_only:
        tested = [s.name for s in photos.subjects if study.settings.excludes(s) is None]
        pool = pool_of_tested(study, tested)
    else:
        pool = paper_pool(study, photos.others)
    return Run(study, photos, tuple(folders), pool, activation, dry_run, strict, out)


def conduct(
    run: Run, models: Sequence[StudyModel], load: Load, progress: StageProgress, engine: Engine
) -> StudyResults:
    """Runs the unfinished models, and writes the study's report into `run.out`.

    Raises:
        IdiaIndexError: no model could be run, or `run.out` holds another study.
    """
    results = study_results(run, run_models(run, models, load, progress, engine))
    text = json_text(to_json(results), indent=1) + "\n"
    write_files(run.out / REPORT, {"index.html": study_html(results), "report.json": text})
    write_files(run.out, {"subjects.csv": _subjects_csv(run)})
    return results


def _subjects_csv(run: Run) -> str:
    """The people with photos as SUBJECTS of `audit`, `evaluate` and `compare`, a line per image."""
    text = StringIO()
    lines: Any = writer(text, lineterminator="\n")
    lines.writerow(["name", "path", "membership", "training_count"])
    for person in run.photos.subjects:
        count = "" if person.training_count is None else person.training_count
        for image in person.images:
            lines.writerow([person.name, image, person.membership or "", count])
    return text.getvalue()
