"""`idia-index study`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import click

from idia_index import Backend, Session
from idia_index.cli.options import (
    DEVICE,
    DIRECTORY,
    SourceOptions,
    engine_options,
    json_option,
    labeler_of,
    labeler_options,
    progress_option,
    session_options,
    source_options,
    write_json,
)
from idia_index.cli.people import claim, tell_skipped
from idia_index.cli.progress import Stages
from idia_index.cli.study_text import study_text
from idia_index.cli.terminal import say
from idia_index.errors import IdiaIndexError, InputError
from idia_index.pipelines.demo import study_backend
from idia_index.pipelines.labels import check_labels_alone
from idia_index.pipelines.load import check_spec, load_model
from idia_index.pipelines.studies.conduct import REPORT, conduct, plan_run
from idia_index.pipelines.studies.definition import STUDIES, Study, read_study, with_lists
from idia_index.pipelines.studies.dry_run import fit_to, write_dry_images
from idia_index.pipelines.studies.models import ACTIVATIONS, Activation, StudyModel, parse_models
from idia_index.pipelines.studies.run import Run
from idia_index.registry import Engine, LabelerPlugin, check_here
from idia_index.support.text import counted

DEMO = StudyModel("demo", "demo", "demo")


@click.command(
    epilog="\b\nExamples:\n"
    "  idia-index study laion400m --images facescrub/actors --images facescrub/actresses \\\n"
    "      --images europeans --model ViT-B-32=ViT-B-32-quickgelu/laion400m_e32 \\\n"
    "      --model ViT-B-16=ViT-B-16/laion400m_e32 --out laion/\n"
    "  idia-index study cc3m --images facescrub/actors --images facescrub/actresses \\\n"
    "      --model RN50:1=RN50/top1.pt --model RN50:75=RN50/top75.pt --out cc3m/\n"
    "  idia-index study cc3m --dry-run --out dry/"
)
@click.argument("study", metavar="|".join((*STUDIES, "FILE")))
@click.option(
    "--images", "folders", type=DIRECTORY, multiple=True,
    help="A folder with one folder of images per person, First_Last; repeatable.",
)  # fmt: skip
@click.option(
    "--model", "models", metavar="[LABEL=]SPEC", multiple=True,
    help="A model, as for build; repeatable. The label of a cc3m checkpoint is the number of "
    "training images per member: 75=SPEC or NAME:75=SPEC.",
)  # fmt: skip
@click.option(
    "--activation", type=click.Choice(ACTIVATIONS), default="as-trained", show_default=True,
    help="Activation to use: the one the weights were trained with, or that of the paper's "
    "notebooks, which load weights trained with QuickGELU without it.",
)  # fmt: skip
@click.option(
    "--tested-only-candidates", is_flag=True,
    help="Use as candidates only the people under test and names drawn from the full statistics, "
    "instead of the paper's candidates.",
)  # fmt: skip
@click.option("--first-names", type=DIRECTORY, help="The authors' first names, a CSV; see build.")
@click.option("--surnames", type=DIRECTORY, help="The authors' surnames; see build.")
@click.option("--backend", default="open_clip", show_default=True, help="Backend.")
@click.option(
    "--image-size", type=click.IntRange(min=1), metavar="PIXELS",
    help="Side of the square that a hosted model takes as input; see build.",
)  # fmt: skip
@session_options
@engine_options
@labeler_options
@DEVICE
@click.option(
    "--dry-run", is_flag=True,
    help="Use generated portraits under the study's names; without --model, the demo's model.",
)  # fmt: skip
@click.option(
    "--dry-images", type=click.IntRange(1, 1000), default=30, show_default=True,
    help="With --dry-run: portraits per person.",
)  # fmt: skip
@click.option(
    "--out", type=DIRECTORY, required=True, metavar="DIR", help="Folder for indexes and reports."
)
@click.option("--strict", is_flag=True, help="Fail if an image cannot be read.")
@json_option
@progress_option
def command(
    study: str,
    folders: tuple[Path, ...],
    models: tuple[str, ...],
    activation: Activation,
    tested_only_candidates: bool,
    first_names: Path | None,
    surnames: Path | None,
    backend: str,
    device: str | None,
    session: Session,
    engine: Engine,
    image_size: int | None,
    labeler: str | None,
    most_labels: int | None,
    dry_run: bool,
    dry_images: int,
    out: Path,
    strict: bool,
    as_json: bool,
    show_progress: bool | None,
) -> None:
    """Reproduce one of the paper's studies with your images and checkpoints.

    The people, their membership and all settings come from the study; see docs/studies.md. After
    an interruption, models that were finished are not run again.
    """
    if dry_run == bool(folders) or not (models or dry_run):
        raise InputError("pass --images and --model, or --dry-run without --images")
    definition = with_lists(read_study(study), first_names, surnames)
    parsed = [replace(model, labeler=labeler)
              for model in parse_models(definition, models, activation)]  # fmt: skip
    for model in parsed if labeler is None else ():
        check_spec(model.spec, backend)
    claim(out / REPORT)
    for folder in folders:
        claim(out / REPORT, source=folder)
    with Stages(show_progress) as progress:
        if dry_run:
            definition, folders = _dry(definition, out, dry_images, progress)
        run = plan_run(
            definition, folders, out, activation=activation,
            dry_run=("models" if models else "demo") if dry_run else None,
            tested_only=tested_only_candidates, strict=strict,
        )  # fmt: skip
        load: Callable[[StudyModel], Backend | LabelerPlugin] = _demo
        if labeler is not None:
            check_labels_alone(engine=engine.name if engine.apart else None)
            load = partial(_labeler, most_labels, session)
        elif models:
            if session != Session():
                check_here(engine, "a service")
            allowed = backend == "open_clip" and activation == "as-published"
            options = source_options(image_size=image_size, allow_mismatch=allowed)
            folders_of = partial(_session_in, session, run)
            load = partial(_load, backend, device, options, folders_of)
        results = conduct(run, parsed or [DEMO], load, progress, engine)
    tell_skipped(each.reason for each in results.skipped)
    if as_json:
        write_json(results)
    else:
        say(f"{study_text(results)}\n\nreport: {out / REPORT / 'index.html'}")
    if results.failed:
        first = results.failed[0]
        raise IdiaIndexError(
            f"{counted(len(results.failed), 'model')} of {len(parsed)} could not be run; "
            f"{first.label}: {first.error}"
        )


def _dry(study: Study, out: Path, images: int, progress: Stages) -> tuple[Study, tuple[Path, ...]]:
    """The study adapted to so few portraits, and their folder."""
    study, folder = fit_to(study, images), out / "generated"
    write_dry_images(study, folder, images, progress)
    return study, (folder,)


def _session_in(session: Session, run: Run, model: StudyModel) -> Session:
    return replace(session, folder=run.index(model))


def _load(
    backend: str, device: str | None, options: SourceOptions,
    session_of: Callable[[StudyModel], Session], model: StudyModel,
) -> Backend:  # fmt: skip
    return load_model(model.spec, backend, device=device, session=session_of(model), **options)


def _labeler(most_labels: int | None, session: Session, model: StudyModel) -> LabelerPlugin:
    return labeler_of(model.labeler or "", model.spec, most_labels, session)


def _demo(_: StudyModel) -> Backend:
    return study_backend()
