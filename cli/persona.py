"""`idia-index persona make` and `idia-index persona audit`."""

from __future__ import annotations

from pathlib import Path

import click

from idia_index.cli.options import DEVICE, DIRECTORY, json_option, progress_option, show
from idia_index.cli.progress import Stages
from idia_index.pipelines.load import load_model
from idia_index.pipelines.personas import audit_personas, make_personas


@click.group(
    epilog="\b\nExamples:\n"
    "  idia-index persona make planted/ --people 20 --names 99\n"
    "  idia-index persona audit ViT-B-32/epoch_32.pt planted/"
)
def command() -> None:
    """Draw names for personas before they are published, and test a model for them later.

    `persona make OUT` draws each persona's name from K + 1 unused ones and seals the draw. Publish
    photos under the drawn names, and put the photos for the audit into OUT/photos/001, ...
    `persona audit MODEL OUT` ranks each drawn name among its K alternatives: a p-value whose
    validity rests only on the random draw.
    """


@command.command()
@click.argument("out", type=DIRECTORY)
@click.option("--people", type=int, required=True, help="Number of personas.")
@click.option(
    "--names",
    type=int,
    default=99,
    show_default=True,
    help="Number of alternative names per persona; the smallest possible p is 1 / (this + 1).",
)
@json_option
def make(out: Path, people: int, names: int, as_json: bool) -> None:
    """Draw names for --people personas and seal the draw, in OUT, a new folder."""
    manifest = make_personas(out, people, names)
    show(manifest, as_json)


@command.command()
@click.argument("model", metavar="MODEL")
@click.argument("out", type=DIRECTORY)
@click.option("--backend", help="Backend; by default the one that fits MODEL.")
@DEVICE
@json_option
@progress_option
def audit(
    model: str,
    out: Path,
    backend: str | None,
    device: str | None,
    as_json: bool,
    show_progress: bool | None,
) -> None:
    """Rank the drawn names in OUT by MODEL, a SPEC as for build."""
    with Stages(show_progress) as progress:
        progress("loading the model")
        loaded = load_model(model, backend, device=device)
        result = audit_personas(loaded, out, progress)
    show(result, as_json)
