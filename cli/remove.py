"""`idia-index remove`."""

from __future__ import annotations

from pathlib import Path

import click

from idia_index.cli.options import DIRECTORY
from idia_index.cli.terminal import say
from idia_index.pipelines.change import remove_names
from idia_index.prompts.names import read_names
from idia_index.support.text import counted

SHOWN = 10


@click.command(epilog="\b\nExample:\n  idia-index remove people.idia --names withdrawn.txt")
@click.argument("index", type=DIRECTORY)
@click.option(
    "--names",
    "names_file",
    type=DIRECTORY,
    required=True,
    help="Names to remove, UTF-8, one a line.",
)
def command(index: Path, names_file: Path) -> None:
    """Remove names from INDEX.

    They cannot be found from then on. `idia-index compact` takes them off the disk.
    """
    done = remove_names(index, read_names(names_file))
    for name in done.left_out[:SHOWN]:
        say(f"note: is not there: {name}", err=True)
    if len(done.left_out) > SHOWN:
        say(f"note: and {len(done.left_out) - SHOWN} more", err=True)
    say(f"{index}: {counted(done.done, 'name')} removed, now {len(done.index):,}")
    if done.index.manifest.removed_count:
        say(f"{done.index.manifest.removed_count:,} wait on disk for: idia-index compact")
