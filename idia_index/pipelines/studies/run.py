"""Runs a study: an index, an evaluation and a report per model; finished ones are kept."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeAlias

from idia_index.encode.backend import Backend
from idia_index.encode.image_bytes import on_disk
from idia_index.errors import IdiaIndexError, InputError, LostWorkError
from idia_index.evaluation.evidence import Evidence, Origin, StudiedModel
from idia_index.pipelines.build import build_index
from idia_index.pipelines.evaluate import gather
from idia_index.pipelines.labels import build_label_index
from idia_index.pipelines.report_files import write_evaluation, write_files
from idia_index.pipelines.report_folder import check_folder
from idia_index.pipelines.shard_writing import Counter
from idia_index.pipelines.studies.definition import Study
from idia_index.pipelines.studies.dry_run import DEMO_MODEL, DRY_RUN
from idia_index.pipelines.studies.models import Activation, StudyModel, activation_note
from idia_index.pipelines.studies.photos import Photos
from idia_index.pipelines.studies.pool import Pool
from idia_index.plugins import Engine, Task
from idia_index.plugins.engine import Tell
from idia_index.plugins.labeler import LabelerPlugin
from idia_index.prompts.names import make_names
from idia_index.registry import load_engine
from idia_index.report.documents import EVALUATION_FORMAT
from idia_index.subjects.subjects import MEMBER, NON_MEMBER, Subject
from idia_index.support.files import local_path, read_regular
from idia_index.support.remote import state_of, url_of_spec
from idia_index.support.text import json_text, shown_path
from idia_index.types import StageProgress, quiet

DryRun = Literal["demo", "models"]
"""Whose models see the generated portraits: the demo's, or given ones."""

MODELS = "models"
DONE = "done.json"
CANDIDATES = "candidates.txt"

Load: TypeAlias = Callable[[StudyModel], Backend | LabelerPlugin]
"""Loads a model when needed, possibly in another process."""


@dataclass(frozen=True)
class Run:
    """A study with everything except its models.

    Attributes:
        study: the study.
        photos: the people with photos.
        folders: the folders of photos.
        pool: the candidates.
        activation: the models' activation.
        dry_run: whether the photos are generated portraits, and for which models.
        strict: whether an unreadable image is an error.
        out: the output folder.
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
        """The warnings at the top of every report."""
        return study_warnings(self.study, self.activation, self.dry_run)

    def folder(self, model: StudyModel) -> Path:
        """The folder of a model's index and report."""
        return self.out / MODELS / model.label.replace(":", "-")

    def index(self, model: StudyModel) -> Path:
        """The path of a model's index."""
        return self.folder(model) / "study.idia"


@dataclass(frozen=True)
class ModelRun:
    """The result of one model.

    Attributes:
        model: the model.
        report: its report.json.
        again: whether it was finished by an earlier run.
        error: why it has no report; None if it has one.
    """

    model: StudyModel
    report: Path
    again: bool
    error: str | None = None


def study_warnings(study: Study, activation: Activation, dry_run: DryRun | None) -> list[str]:
    """The warnings at the top of every report of a study."""
    said = [DRY_RUN] if dry_run else []
    if dry_run == "demo":
        said.append(DEMO_MODEL)
    said.append(activation_note(study, activation))
    return [*said, study.caution] if study.caution else said


def tested_people(photos: Photos, model: StudyModel) -> list[Subject]:
    """The people with the training images that a checkpoint's label states."""
    if model.count is None:
        return list(photos.subjects)
    counts = {MEMBER: model.count, NON_MEMBER: 0}
    return [
        replace(person, training_count=counts.get(person.membership or ""))
        for person in photos.subjects
    ]


def run_models(
    run: Run, models: Sequence[StudyModel], load: Load, progress: StageProgress, engine: Engine
) -> list[ModelRun]:
    """Runs the unfinished models; a failure of one does not stop the others.

    If there are enough models for all workers of the engine, each worker runs whole models;
    otherwise models run one by one, with prompts, photos and searches spread over all workers.

    Raises:
        InputError: `run.out` holds the candidates of another study.
    """
    _write_candidates(run.out, run.pool.lines)
    identities = {model.label: _identity(run, model) for model in models}
    todo = [m for m in models if not _is_finished(run, m, identities[m.label])]
    errors: dict[str, str | None] = {}

    def ended(model: StudyModel, error: str | None) -> None:
        errors[model.label] = error
        if error is None:
            identity = json_text(identities[model.label], indent=2) + "\n"
            write_files(run.folder(model), {DONE: identity})

    if len(todo) > 1 and engine.is_filled_by(len(todo)):
        told = Counter(len(todo), partial(progress, "models"))
        try:
            engine.run(RunModels(run, load), todo, ended, told)
        except LostWorkError as error:
            errors = {model.label: errors.get(model.label, str(error)) for model in todo}
    else:
        load_engine().run(RunModels(run, load, progress, engine), todo, ended, lambda _: None)
    return [ModelRun(m, _report(run, m), m not in todo, errors.get(m.label)) for m in models]


@dataclass
class RunModels(Task[StudyModel, str | None, str | None]):
    """Runs models; the result is why a model has no report, or None.

    Attributes:
        run: the study.
        load: loads a model.
        progress: called with each model's stages, except in remote workers.
        engine: engine for a model's own long work; None: the worker does it.
    """

    run: Run
    load: Load
    progress: StageProgress | None = None
    engine: Engine | None = None
    queued: ClassVar[bool] = False

    def setup(self) -> None:
        """Raises InputError in a worker that does not see the study's folder."""
        if not _holds(self.run.out / CANDIDATES, self.run.pool.lines):
            raise InputError(
                f"{shown_path(self.run.out.absolute())}: a worker sees another folder there; pass "
                "an --out that all machines see under the same path"
            )

    def compute(self, given: StudyModel, tell: Tell) -> str | None:
        """Loads, builds, measures and writes."""
        try:
            loaded = self.load(given)
            if self.engine is not None and isinstance(loaded, Backend):
                loaded.engine = self.engine
            _run_model(self.run, given, loaded, self.progress or quiet)
        except IdiaIndexError as error:
            return str(error)
        tell(1)
        return None


def _run_model(
    run: Run, model: StudyModel, backend: Backend | LabelerPlugin, progress: StageProgress
) -> None:
    report = _report(run, model).parent
    check_folder(report)

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
    evidence = replace(evidence, origin=_origin(run, model))
    write_evaluation(evidence, run.study.settings, report)


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


def _identity(run: Run, model: StudyModel) -> dict[str, Any]:
    """Everything that a model's report depends on and that may change between runs."""
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


def _state(spec: str) -> list[int | str]:
    """Size and time of the files of a SPEC that is a path or ends in one."""
    if (found := url_of_spec(spec)) is not None:
        with suppress(OSError):  # loading reports what cannot be fetched
            return [state_of(found[1])]
        return []
    for text in (spec, spec.partition("/")[2], spec.partition(":")[2]):
        place = local_path(text)
        if text and place.exists():
            files = sorted(place.iterdir()) if place.is_dir() else [place]
            states = [file.stat() for file in files]
            return [part for state in states for part in (state.st_size, state.st_mtime_ns)]
    return []


def _report(run: Run, model: StudyModel) -> Path:
    return run.folder(model) / "report" / "report.json"


def _is_finished(run: Run, model: StudyModel, identity: dict[str, Any]) -> bool:
    there = _report(run, model).is_file()
    return there and _read_identity(run.folder(model) / DONE) == identity


def _read_identity(file: Path) -> object:
    try:
        return json.loads(read_regular(file, 1 << 20))
    except (OSError, ValueError):
        return None


def _write_candidates(out: Path, data: bytes) -> None:
    file = out / CANDIDATES
    if file.exists() and not _holds(file, data):
        raise InputError(
            f"{shown_path(file)}: holds other names than this study's candidates; pass a new --out "
            "folder"
        )
    write_files(out, {file.name: data.decode("utf-8")})


def _holds(file: Path, data: bytes) -> bool:
    try:
        return read_regular(file, len(data)) == data
    except OSError:  # longer, or not readable
        return False
