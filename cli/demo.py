"""`idia-index demo`."""

from __future__ import annotations

from pathlib import Path

import click

from idia_index.cli.options import DIRECTORY, json_option, progress_option, write_json
from idia_index.cli.people import claim
from idia_index.cli.progress import Stages
from idia_index.cli.terminal import say
from idia_index.pipelines.demo import run_demo, study_backend
from idia_index.support.offline import go_offline


@click.command(epilog="\b\nExample:\n  idia-index demo --out idia-demo")
@click.option(
    "--out",
    type=DIRECTORY,
    default=Path("idia-demo"),
    show_default=True,
    metavar="DIR",
    help="Folder for the images, index and report.",
)
@json_option
@progress_option
def command(out: Path, as_json: bool, show_progress: bool | None) -> None:
    """Run the controlled study offline: a small CLIP model and people who do not exist.

    The model was trained on portraits of some of them, captioned with their names, and on none of
    the others, so the correct result of an audit is known. The audit uses new portraits.
    """
    go_offline()
    claim(out / "report")
    backend = study_backend()
    say(f"{backend.name} on {backend.device}", err=True)
    with Stages(show_progress) as progress:
        result, report = run_demo(out, backend, progress)
    if as_json:
        write_json(result)
        return
    for warning in report.warnings:
        say(f"WARNING: {warning}\n")
    say(result.to_text())
    say(f"\nreport: {out / 'report' / 'index.html'}")
