"""`idia-index audit`."""

from __future__ import annotations

from pathlib import Path

import click

from idia_index import open_index, read_subjects
from idia_index.cli.console import audit_text, warning_lines
from idia_index.cli.options import (
    DIRECTORY,
    backend_of,
    json_option,
    members_option,
    override_options,
    progress_option,
    reference_option,
    strict_option,
    tau_option,
    verify_option,
    write_json,
)
from idia_index.cli.outputs import claim
from idia_index.cli.people import tell_people, tell_read, tell_skipped
from idia_index.cli.progress import Stages
from idia_index.cli.terminal import say
from idia_index.pipelines.audit import gather_audit
from idia_index.pipelines.checks import check_draws, check_threshold
from idia_index.pipelines.evaluate import settings_for_all
from idia_index.report.data import tested_result
from idia_index.report.files import write_evaluation
from idia_index.subjects.from_captions import with_members


@click.command(
    epilog="\b\nExamples:\n"
    "  idia-index audit people.idia subjects/\n"
    "  idia-index audit people.idia subjects.csv --tau 2 --out report/\n"
    "  idia-index audit people.idia subjects.csv --json > audit.json"
)
@click.argument("index", type=DIRECTORY)
@click.argument("subjects", type=DIRECTORY)
@click.option(
    "--out",
    type=DIRECTORY,
    metavar="DIR",
    help="Write report.json, subjects.csv, index.html and results.npz there.",
)
@click.option("--include-images", is_flag=True, help="Show small copies of the faces in the page.")
@strict_option
@reference_option
@members_option
@tau_option
@verify_option
@override_options
@json_option
@progress_option
def command(
    index: Path,
    subjects: Path,
    out: Path | None,
    include_images: bool,
    strict: bool,
    reference_faces: Path | None,
    members: Path | None,
    tau: int,
    check_shards: bool,
    backend: str | None,
    model: str | None,
    device: str | None,
    as_json: bool,
    show_progress: bool | None,
) -> None:
    """Test every person of SUBJECTS, and report.

    SUBJECTS is a folder with one folder of images per person (First_Last), or a CSV with the
    columns name,path[,membership][,training_count][,person_id]; docs/inputs.md has what is read.

    Embeddings of the images are kept in INDEX (images.cache) and spare the next run the work; set
    IDIA_INDEX_IMAGE_CACHE=off to keep none.
    """
    opened = open_index(index, verify=check_shards)
    check_threshold(opened, tau)
    people = with_members(read_subjects(subjects), members)
    tell_read(people, strict)
    claim(out, people, subjects)
    check_draws(people if out is not None else ())
    with Stages(show_progress) as progress:
        progress("loading the model")
        loaded = backend_of(opened, backend, model, device)
        evidence = gather_audit(
            opened, loaded, people, tau=tau, strict=strict, baselines=out is not None,
            reference_faces=reference_faces, progress=progress,
        ).from_subjects(subjects)  # fmt: skip
    result = tested_result(evidence)
    tell_skipped(result.left_out_files)
    tell_people(evidence.audit.skipped)
    warned: list[str] = []
    if out is not None:
        report = write_evaluation(evidence, settings_for_all(evidence), out,
                                  include_images=include_images)  # fmt: skip
        warned = warning_lines(report)
    if as_json:
        write_json(result)
        return
    for line in warned:
        say(f"{line}\n")
    say(audit_text(result))
    if out is not None:
        say(f"\nreport: {out / 'index.html'}")
