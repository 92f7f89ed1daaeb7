"""`idia-index audit`."""

from __future__ import annotations

from pathlib import Path

import click

from idia_index.audit import audit
from idia_index.cli.console import audit_text
from idia_index.cli.options import (
    DIRECTORY,
    backend_of,
    json_option,
    override_options,
    progress_option,
    tau_option,
    write_json,
)
from idia_index.cli.progress import Progress
from idia_index.decision import check_tau
from idia_index.index import open_index
from idia_index.report import audit_to_json, write_report
from idia_index.subjects import read_subjects


@click.command(
    epilog="\b\nExamples:\n"
    "  idia-index audit people.idia subjects/\n"
    "  idia-index audit people.idia subjects.csv --tau 2 --out report/\n"
    "  idia-index audit people.idia subjects.csv --json > audit.json"
)
@click.argument("index", type=DIRECTORY)
@click.argument("subjects", type=DIRECTORY)
@click.option("--out", type=DIRECTORY, metavar="DIR",
              help="Write report.json, subjects.csv and index.html there.")
@click.option("--strict", is_flag=True, help="An image that cannot be read is an error.")
@tau_option
@override_options
@json_option
@progress_option
def command(
    index: Path,
    subjects: Path,
    out: Path | None,
    strict: bool,
    tau: int,
    backend: str | None,
    model: str | None,
    device: str | None,
    as_json: bool,
    show_progress: bool | None,
) -> None:
    """Test every person of SUBJECTS, and report.

    SUBJECTS is a folder with one folder of images per person (First_Last), or a CSV with the
    columns name,path[,membership][,training_count].
    """
    opened = open_index(index)
    check_tau(tau, len(opened.templates))
    people = read_subjects(subjects)
    loaded = backend_of(opened, backend, model, device)
    with Progress("encoding images", show_progress) as bar:
        result = audit(opened, loaded, people, tau=tau, strict=strict, progress=bar.advance)
    if out is not None:
        write_report(result, out)
    if as_json:
        write_json(audit_to_json(result))
        return
    click.echo(audit_text(result))
    if out is not None:
        click.echo(f"\nreport: {out / 'index.html'}")
