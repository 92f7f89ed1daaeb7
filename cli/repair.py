"""`idia-index repair`."""

from __future__ import annotations

from pathlib import Path

import click

from idia_index.cli.options import DIRECTORY, override_options, progress_option
from idia_index.cli.progress import Progress
from idia_index.cli.terminal import say
from idia_index.pipelines.load import load_backend_at
from idia_index.pipelines.repair import repair


@click.command(epilog="\b\nExample:\n  idia-index repair people.idia")
@click.argument("index", type=DIRECTORY)
@override_options
@progress_option
def command(
    index: Path,
    backend: str | None,
    model: str | None,
    device: str | None,
    show_progress: bool | None,
) -> None:
    """Check INDEX, and encode its damaged shards again; others are left as they are."""
    loaded = load_backend_at(index, model=model, backend=backend, device=device)
    with Progress("encoding prompts", show_progress) as bar:
        done = repair(index, loaded, bar.advance)
    for finding in done.findings:
        say(f"{finding.file}: {finding.problem}")
    if not done.findings:
        say(f"{index}: nothing is damaged")
        return
    lookups = ", the files that find names written again" if done.lookups else ""
    say(f"{index}: {done.encoded} files of shards encoded again{lookups}")
