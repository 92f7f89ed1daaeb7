"""`idia-index add`."""

from __future__ import annotations

from pathlib import Path

import click

from idia_index.cli.options import DIRECTORY, backend_of, override_options, progress_option
from idia_index.cli.progress import Progress
from idia_index.cli.terminal import say
from idia_index.errors import InputError
from idia_index.pipelines.change import Grown, add_names, add_templates
from idia_index.prompts.names import read_names
from idia_index.prompts.templates import read_templates
from idia_index.search.open import open_index

SHOWN = 10


@click.command(
    epilog="\b\nExamples:\n"
    "  idia-index add people.idia --names more.txt\n"
    "  idia-index add people.idia --templates more-templates.txt"
)
@click.argument("index", type=DIRECTORY)
@click.option("--names", "names_file", type=DIRECTORY, help="Names to add, UTF-8, one a line.")
@click.option(
    "--templates",
    "templates_file",
    type=DIRECTORY,
    help="Templates to add, with {0} or {name}, one a line.",
)
@override_options
@progress_option
def command(
    index: Path,
    names_file: Path | None,
    templates_file: Path | None,
    backend: str | None,
    model: str | None,
    device: str | None,
    show_progress: bool | None,
) -> None:
    """Add names or templates to INDEX; only what is new is encoded.

    Names and templates that are there already are reported and not stored twice. If it is
    interrupted, INDEX stays as it was, and the same command goes on with what was finished.
    """
    if names_file is None and templates_file is None:
        raise InputError("there is nothing to add: give --names FILE, --templates FILE, or both")
    names = read_names(names_file) if names_file else None
    templates = read_templates(templates_file) if templates_file else None
    opened = open_index(index)
    loaded = backend_of(opened, backend, model, device)
    opened.close()
    with Progress("encoding prompts", show_progress) as bar:
        if names is not None:
            done = add_names(index, loaded, names, bar.advance)
            _tell_known(done)
            say(f"{index}: {done.done:,} names added, now {len(done.index):,}")
            done.index.close()  # while it is open, what only its manifest names stays on disk
        if templates is not None:
            done = add_templates(index, loaded, templates, bar.advance)
            _tell_known(done)
            say(f"{index}: {done.done} templates added, now {len(done.index.templates)}")


def _tell_known(done: Grown) -> None:
    """Notes what was left out, the first of much."""
    for text in done.left_out[:SHOWN]:
        say(f"note: is there already: {text}", err=True)
    if len(done.left_out) > SHOWN:
        say(f"note: and {len(done.left_out) - SHOWN} more", err=True)
