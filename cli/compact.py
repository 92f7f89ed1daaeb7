"""`idia-index compact`."""

from __future__ import annotations

from pathlib import Path

import click

from idia_index.cli.options import DIRECTORY
from idia_index.cli.terminal import say
from idia_index.pipelines.compact import compact
from idia_index.support.text import counted


@click.command(epilog="\b\nExample:\n  idia-index compact people.idia")
@click.argument("index", type=DIRECTORY)
def command(index: Path) -> None:
    """Take removed names off the disk, join small shards, and write the newest format."""
    done = compact(index)
    say(
        f"{index}: {counted(done.removed, 'name')} taken off the disk, "
        f"{counted(done.rewritten, 'shard')} rewritten, "
        f"{done.freed / 1e6:,.1f} MB freed"
    )
    if done.in_use:
        say("note: somebody reads the state before; its files go with the next compact", err=True)
