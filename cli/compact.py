"""`idia-index compact`."""

from __future__ import annotations

from pathlib import Path

import click

from idia_index.cli.options import DIRECTORY, json_option, progress_option, write_json
from idia_index.cli.progress import Stages
from idia_index.cli.terminal import note, say
from idia_index.pipelines.compact import compact
from idia_index.support.text import counted


@click.command(epilog="\b\nExample:\n  idia-index compact people.idia")
@click.argument("index", type=DIRECTORY)
@json_option
@progress_option
def command(index: Path, as_json: bool, show_progress: bool | None) -> None:
    """Delete removed names from disk, merge small shards and upgrade to the newest format."""
    with Stages(show_progress) as stages:
        stages("rewriting shards")
        done = compact(index)
    if done.in_use:
        note("another process reads the previous state; the next compact deletes its files")
    if as_json:
        write_json(done)
        return
    say(
        f"{index}: {counted(done.removed, 'name')} deleted from disk, "
        f"{counted(done.rewritten, 'shard')} rewritten, "
        f"{done.freed_bytes / 1e6:,.1f} MB freed"
    )
