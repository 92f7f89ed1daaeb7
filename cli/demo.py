"""`idia-index demo`."""

from __future__ import annotations

from pathlib import Path

import click

from idia_index import Settings
from idia_index.cli.console import metrics_text, pairs, warning_lines
from idia_index.cli.options import DIRECTORY, json_option, progress_option, write_json
from idia_index.cli.outputs import claim
from idia_index.cli.progress import Stages
from idia_index.cli.terminal import say
from idia_index.pipelines.demo import IMAGES, run_demo, study_backend
from idia_index.report.files import write_evaluation
from idia_index.report.format import share_text
from idia_index.support.offline import go_offline


@click.command(epilog="\b\nExample:\n  idia-index demo --out idia-demo")
@click.option(
    "--out",
    type=DIRECTORY,
    default=Path("idia-demo"),
    show_default=True,
    metavar="DIR",
    help="Where images, index and report go.",
)
@json_option
@progress_option
def command(out: Path, as_json: bool, show_progress: bool | None) -> None:
    """Run the controlled study, offline: a small CLIP, and people who do not exist.

    The model was trained on portraits of some of them, under their names, and on none of
    others; so it is known what an audit should find. The portraits shown to it are new.
    """
    go_offline()
    claim(out / "report")
    backend = study_backend()
    say(f"{backend.name} on {backend.device}", err=True)
    with Stages(show_progress) as progress:
        demo = run_demo(out, backend, progress)
    report = write_evaluation(demo.evidence, Settings(), out / "report")
    result = demo.result(report)
    if as_json:
        write_json(result)
        return
    for line in warning_lines(report):
        say(f"{line}\n")
    say(
        f"{len(result.subjects)} people, {IMAGES} images each, {len(result.templates)} "
        f"prompts, {result.candidates:,} candidate names, tau {result.tau}\n"
    )
    assert result.metrics is not None  # the study knows its truth
    say(metrics_text(result.metrics))
    rows = {
        "face seen, name not": result.study.face_only,
        "name seen, face not": result.study.name_only,
    }
    told = {title: share_text(share) for title, share in rows.items()}
    say(pairs(told | {"name-swap null": share_text(result.study.name_swap, "pairs")}))
    say(f"\nreport: {out / 'report' / 'index.html'}")
