"""`idia-index remove`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import click

from idia_index import read_names
from idia_index.cli.name_notes import tell_left_out
from idia_index.cli.options import DIRECTORY, json_option, write_json
from idia_index.cli.terminal import say
from idia_index.pipelines.change import remove_names
from idia_index.support.text import counted


@dataclass(frozen=True)
class RemoveResult:
    """What was removed from an index.

    Attributes:
        path: its directory.
        removed: number of names.
        not_there: names that were not in it, as given.
        candidates: number of candidate names now.
        on_disk_still: number of removed names that `compact` has yet to delete from disk.
    """

    path: str
    removed: int
    not_there: tuple[str, ...]
    candidates: int
    on_disk_still: int


@click.command(epilog="\b\nExample:\n  idia-index remove people.idia --names withdrawn.txt")
@click.argument("index", type=DIRECTORY)
@click.option(
    "--names",
    "names_file",
    type=DIRECTORY,
    required=True,
    help="Names to remove, UTF-8, one per line.",
)
@json_option
def command(index: Path, names_file: Path, as_json: bool) -> None:
    """Remove names from INDEX.

    They are no longer candidates. `idia-index compact` deletes them from disk.
    """
    done = remove_names(index, read_names(names_file))
    waiting = done.index.manifest.removed_count
    tell_left_out("not in the index", done.left_out)
    if as_json:
        path = os.fsdecode(index.resolve())
        write_json(RemoveResult(path, done.done, done.left_out, len(done.index), waiting))
        return
    say(f"{index}: {counted(done.done, 'name')} removed, now {len(done.index):,}")
    if waiting:
        say(f"{counted(waiting, 'removed name')} still on disk; to delete: idia-index compact")
