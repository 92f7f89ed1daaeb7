"""`idia-index study`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from idia_index.cli.evaluation_text import evaluation_text
from idia_index.cli.options import DIRECTORY, json_option, progress_option, write_json
from idia_index.cli.outputs import claim
from idia_index.cli.people import skipped_of, tell_skipped
from idia_index.cli.progress import Stages
from idia_index.cli.terminal import say
from idia_index.errors import InputError
from idia_index.evaluation.settings import Settings
from idia_index.pipelines.demo import study_backend
from idia_index.pipelines.load import load_model
from idia_index.pipelines.studies import (
    STUDIES,
    Recipe,
    read_recipe,
    run_study,
    study_warnings,
    write_dry_images,
)
from idia_index.report import write_evaluation


@click.command(
    epilog="\b\nExamples:\n"
    "  idia-index study laion400m --images faces/ --model ViT-B-32-quickgelu/laion400m_e32 "
    "--out study/\n"
    "  idia-index study cc3m --dry-run --out dry/"
)
@click.argument("study", metavar="|".join((*STUDIES, "FILE")))
@click.option("--images", type=DIRECTORY, help="One folder of images per person, First_Last.")
@click.option("--model", metavar="SPEC", help="The model, as for build.")
@click.option("--backend", default="open_clip", show_default=True, help="Backend.")
@click.option("--device", help="cpu, cuda, ...; by default the best that works.")
@click.option(
    "--dry-run",
    is_flag=True,
    help="Generated portraits under the study's names and the demo's model.",
)
@click.option(
    "--dry-images",
    type=click.IntRange(1, 1000),
    default=30,
    show_default=True,
    help="Portraits a person.",
)
@click.option(
    "--out", type=DIRECTORY, required=True, metavar="DIR", help="Where index and report go."
)
@click.option("--strict", is_flag=True, help="An image that cannot be read is an error.")
@json_option
@progress_option
def command(
    study: str,
    images: Path | None,
    model: str | None,
    backend: str,
    device: str | None,
    dry_run: bool,
    dry_images: int,
    out: Path,
    strict: bool,
    as_json: bool,
    show_progress: bool | None,
) -> None:
    """Run one of the paper's studies with your images and your checkpoint.

    The people, their membership and all settings come from the study; see docs/studies.md.
    """
    recipe = read_recipe(study)
    if dry_run == (images is not None and model is not None):
        raise InputError("give --images and --model, or --dry-run without them")
    loaded = study_backend() if dry_run else load_model(str(model), backend, device=device)
    claim(out / "report", source=images)
    with Stages(show_progress) as progress:
        if dry_run:
            images = out / "generated"
            recipe = _fit(recipe, dry_images)
            write_dry_images(recipe, images, dry_images, progress)
        evidence = run_study(recipe, images or out, loaded, out, progress, strict=strict)
    tell_skipped(skipped_of(evidence.audit))
    warnings = study_warnings(recipe, dry_run=dry_run)
    evidence = evidence.with_origin({"warnings": warnings})
    data = write_evaluation(evidence, recipe.settings, out / "report")
    if as_json:
        write_json(data)
        return
    say(f"{recipe.title}\n\n{evaluation_text(data)}\n\nreport: {out / 'report/index.html'}")


def _fit(recipe: Recipe, images: int) -> Recipe:
    """The recipe for so few images a person."""
    if images >= recipe.settings.min_images:
        return recipe
    sizes = tuple(size for size in recipe.settings.sizes if size <= images)
    settings: Settings = replace(recipe.settings, min_images=images, sizes=sizes)
    return replace(recipe, settings=settings)
