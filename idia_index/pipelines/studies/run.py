"""Runs a study: one index of candidates, evaluation and report a model; finished ones stay."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from idia_index.encode.backend import Backend
from idia_index.encode.image_bytes import on_disk
from idia_index.errors import IdiaIndexError, InputError
from idia_index.evaluation.evidence import Evidence, Origin, StudiedModel
from idia_index.pipelines.build import build_index
from idia_index.pipelines.evaluate import StageProgress, gather
from idia_index.pipelines.labels import build_label_index
from idia_index.pipelines.report_files import write_evaluation, write_files
from idia_index.pipelines.report_folder import check_folder
from idia_index.pipelines.studies.definition import Study, read_study
from idia_index.pipelines.studies.dry_run import DEMO_MODEL, DRY_RUN
from idia_index.pipelines.studies.models import Activation, StudyModel, activation_note
from idia_index.pipelines.studies.photos import Photos, find_photos
from idia_index.pipelines.studies.pool import Pool
from idia_index.plugins.labeler import LabelerPlugin
from idia_index.prompts.names import make_names
from idia_index.report.documents import EVALUATION_FORMAT
from idia_index.subjects.subjects import MEMBER, NON_MEMBER, Subject
from idia_index.support.files import read_regular
from idia_index.support.text import json_text, shown_path

DryRun = Literal["demo", "models"]
"""Whose models look at the portraits: the demo's, or given ones."""

MODELS = "models"
DONE = "done.json"


@dataclass(frozen=True)
class Run:
    """A study with everything but its models.

    Attributes:
        study: the study.
        photos: who has photos.
        folders: where these are.
        pool: the candidates.
        activation: what models compute.
        dry_run: whether the photos are generated portraits, and of which model.
        strict: whether an image that cannot be read is an error.
        out: where everything is written.
    """

    study: Study
    photos: Photos
    folders: tuple[Path, ...]
    pool: Pool
    activation: Activation
    dry_run: DryRun | None
    strict: bool
    out: Path

    @property
    def warnings(self) -> list[str]:
        """What must stand first in every report."""
        return study_warnings(self.study, self.activation, self.dry_run)

    def folder(self, model: StudyModel) -> Path:
        """Where a model's index and report are."""
        return self.out / MODELS / model.label.replace(":", "-")

    def index(self, model: StudyModel) -> Path:
        """Where a model's index is."""
        return self.folder(model) / "study.idia"


@dataclass(frozen=True)
class ModelRun:
    """What came of one model.

    Attributes:
        model: the model.
        report: its report.json.
        again: whether it was finished by an earlier run.
        error: why it has none; None where it has one.
    """

    model: StudyModel
    report: Path
    again: bool
    error: str | None = None


def study_warnings(study: Study, activation: Activation, dry_run: DryRun | None) -> list[str]:
    """What must stand first in every report of a study."""
    said = [DRY_RUN] if dry_run else []
    if dry_run == "demo":
        said.append(DEMO_MODEL)
    said.append(activation_note(study, activation))
    return [*said, study.caution] if study.caution else said


def tested_people(photos: Photos, model: StudyModel) -> list[Subject]:
    """The people with what a checkpoint's label says of their training images."""
    if model.count is None:
        return list(photos.subjects)
    counts = {MEMBER: model.count, NON_MEMBER: 0}
    return [
        replace(person, training_count=counts.get(person.membership or ""))
        for person in photos.subjects
    ]


def run_models(
    run: Run,
    models: Sequence[StudyModel],
    load: Callable[[StudyModel], Backend | LabelerPlugin],
    progress: StageProgress,
) -> list[ModelRun]:
    """Runs the models one after the other; what fails with one does not end the others.

    Raises:
        InputError: `run.out` holds the candidates of another study.
    """
    _write_candidates(run.out, run.pool.lines)
    done = []
    for model in models:
        report = run.folder(model) / "report" / "report.json"
        identity = _identity(run, model)
        if report.is_file() and _read_identity(run.folder(model) / DONE) == identity:
            done.append(ModelRun(model, report, again=True))
            continue
        try:
            _run_model(run, model, load(model), progress)
        except IdiaIndexError as error:
            done.append(ModelRun(model, report, again=False, error=str(error)))
            continue
        write_files(run.folder(model), {DONE: json_text(identity, indent=2) + "\n"})
        done.append(ModelRun(model, report, again=False))
    return done


def _run_model(
    run: Run, model: StudyModel, backend: Backend | LabelerPlugin, progress: StageProgress
) -> None:
    folder = run.folder(model)
    check_folder(folder / "report")

    def labelled(stage: str, done: int, total: int) -> None:
        progress(f"{model.label}: {stage}", done, total)

    names, pool = make_names(run.pool.names, "the study's candidates"), run.pool.recipe or None
    if isinstance(backend, LabelerPlugin):
        index = build_label_index(run.index(model), backend, names, pool=pool, resume=True)
    else:
        index = build_index(
            run.index(model), backend, names, pool=pool, resume=True,
            progress=lambda done, total: labelled("encoding prompts", done, total),
        )  # fmt: skip
    people = tested_people(run.photos, model)
    evidence: Evidence = gather(
        index, backend, people, run.study.settings, strict=run.strict, progress=labelled
    )
    evidence = evidence.with_origin(_origin(run, model))
    write_evaluation(evidence, run.study.settings, folder / "report")


def _origin(run: Run, model: StudyModel) -> Origin:
    return Origin(
        study=run.study.title,
        recipe=run.study.source,
        model=StudiedModel(model.label, model.count),
        activation=run.activation,
        dry_run=run.dry_run,
        folders=tuple(os.fsdecode(folder.resolve()) for folder in run.folders),
        without_images=tuple(each.person.name for each in run.photos.missing),
        warnings=tuple(run.warnings),
    )


@dataclass(frozen=True)
class StudySource:
    """The subjects of a report's model, found again.

    Attributes:
        place: the study and its folders, in words.
        subjects: the people as the report's model saw them.
        origin: what a report states of them.
    """

    place: str
    subjects: list[Subject]
    origin: Origin


def read_study_source(told: Origin) -> StudySource | None:
    """The people of a study's report as they are now; None where their folders are gone.

    Args:
        told: what the report states of its origin.

    Raises:
        InputError: study or folders are there and cannot be read, or the report names none.
    """
    folders = [Path(folder) for folder in told.folders]
    if told.recipe is None or told.model is None or told.activation is None:
        raise InputError("the report does not say what study it is of; evaluate again")
    if not all(folder.exists() for folder in folders):
        return None
    study = read_study(told.recipe)
    photos = find_photos(study, folders)
    label, count = told.model.label, told.model.training_count
    subjects = tested_people(photos, StudyModel(label, "", "", count))
    place = ", ".join([study.source, *map(os.fsdecode, folders)])
    origin = replace(
        told,
        study=study.title,
        without_images=tuple(each.person.name for each in photos.missing),
        warnings=tuple(study_warnings(study, told.activation, told.dry_run)),
    )
    return StudySource(place, subjects, origin)


def _identity(run: Run, model: StudyModel) -> dict[str, Any]:
    """All that a model's report depends on, and that an interrupted run can have changed."""
    photos = hashlib.sha256()
    for person in run.photos.subjects:
        for image in on_disk(person.images):
            state = image.stat()
            line = [person.name, os.fsdecode(image), state.st_size, state.st_mtime_ns]
            photos.update(json.dumps(line).encode("utf-8"))
    return {
        "format": "idia-index/study-model/1",
        "report": EVALUATION_FORMAT,
        "study_sha256": run.study.sha256,
        "settings": json.loads(json.dumps(asdict(run.study.settings))),
        "model": asdict(model),
        "checkpoint": _state(model.spec),
        "activation": run.activation,
        "warnings": run.warnings,
        "candidates_sha256": run.pool.sha256,
        "photos_sha256": photos.hexdigest(),
        "strict": run.strict,
    }


def _state(spec: str) -> list[int]:
    """Size and time of the files of a SPEC that is a path or ends in one."""
    for text in (spec, spec.partition("/")[2], spec.partition(":")[2]):
        place = Path(text).expanduser()
        if text and place.exists():
            files = sorted(place.iterdir()) if place.is_dir() else [place]
            states = [file.stat() for file in files]
            return [part for state in states for part in (state.st_size, state.st_mtime_ns)]
    return []


def _read_identity(file: Path) -> object:
    try:
        return json.loads(read_regular(file, 1 << 20))
    except (OSError, ValueError):
        return None


def _write_candidates(out: Path, data: bytes) -> None:
    file = out / "candidates.txt"
    if file.exists() and not _holds(file, data):
        raise InputError(
            f"{shown_path(file)}: holds other names than this study's candidates; give --out a new "
            "folder"
        )
    write_files(out, {file.name: data.decode("utf-8")})


def _holds(file: Path, data: bytes) -> bool:
    try:
        return read_regular(file, len(data)) == data
    except OSError:  # longer, or no file that can be read
        return False
