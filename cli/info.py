"""`idia-index info`."""

from __future__ import annotations

from pathlib import Path

import click

from idia_index import open_index
from idia_index.cli.options import DIRECTORY, json_option, show
from idia_index.pipelines.info import index_info


@click.command(epilog="\b\nExample:\n  idia-index info people.idia")
@click.argument("index", type=DIRECTORY)
@json_option
def command(index: Path, as_json: bool) -> None:
    """Show what INDEX holds and what it was built from."""
    info = index_info(open_index(index))
    show(info, as_json)
