"""`idia-index demo`."""

from __future__ import annotations

from pathlib import Path

import click

from idia_index.cli.console import metrics_text, pairs, pairs_text, rate_text, warning_lines
from idia_index.cli.options import DIRECTORY, json_option, progress_option, write_json
from idia_index.cli.outputs import claim
from idia_index.cli.progress import Stages
from idia_index.cli.terminal import say
from idia_index.evaluation import evaluate_decisions
from idia_index.evaluation.settings import Settings
from idia_index.pipelines.demo import run_demo, study_backend
from idia_index.report import audit_to_json, write_evaluation
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
    swapped = report["evaluation"]["baselines"]["rule"]["name_swap"]
    metrics = evaluate_decisions(demo.result.subjects)
    assert metrics is not None  # the study knows its truth
    if as_json:
        study = {**demo.to_json(), "name_swap": swapped}
        write_json({**audit_to_json(demo.result), "study": study})
        return
    for line in warning_lines(report):
        say(f"{line}\n")
    say(
        f"{len(demo.result.subjects)} people, 30 images each, {len(demo.result.index.templates)} "
        f"prompts, {len(demo.result.index):,} candidate names, tau {demo.result.tau}\n"
    )
    say(metrics_text(metrics))
    say(
        pairs(
            {
                "face seen, name not": rate_text(demo.face_only),
                "name seen, face not": rate_text(demo.name_only),
                "name-swap null": pairs_text(swapped),
            }
        )
    )
    say(f"\nreport: {out / 'report' / 'index.html'}")
