"""Options of how a report is written: `--about`, `--language`, `--include-images`."""

from __future__ import annotations

import click

from idia_index.cli.options import DIRECTORY, F, added
from idia_index.pipelines.about import read_about
from idia_index.pipelines.report_files import LANGUAGES


def report_options(function: F) -> F:
    """Adds the options; `about` comes as what the file states."""
    return added(
        function,
        click.option(
            "--about",
            type=DIRECTORY,
            callback=lambda context, parameter, value: value and read_about(value),
            metavar="FILE.toml",
            help="What stands on the report's first page: title, date, organisation, purpose, "
            "lawful_basis, auditor.",
        ),
        click.option(
            "--language",
            type=click.Choice(list(LANGUAGES)),
            default="en",
            show_default=True,
            help="Language of the page; JSON and terminal stay English.",
        ),
        click.option(
            "--include-images", is_flag=True, help="Show small copies of the faces in the page."
        ),
    )
