"""Options for a report: where it is written, in which language, what is stated and shown."""

from __future__ import annotations

import click

from idia_index.cli.options import DIRECTORY, F, added
from idia_index.pipelines.about import read_about
from idia_index.pipelines.report_files import LANGUAGES


def report_options(function: F) -> F:
    """Adds the options; `about` is passed as the parsed content of the file."""
    return added(
        function,
        click.option(
            "--out",
            type=DIRECTORY,
            metavar="DIR",
            help="Write the report here: report.json, index.html, tables, Markdown and "
            "results.npz.",
        ),
        click.option(
            "--about",
            type=DIRECTORY,
            callback=lambda context, parameter, value: value and read_about(value),
            metavar="FILE.toml",
            help="Details for the report's first page: title, date, organisation, purpose, "
            "lawful_basis, auditor.",
        ),
        click.option(
            "--language",
            type=click.Choice(list(LANGUAGES)),
            default="en",
            show_default=True,
            help="Language of the HTML page; JSON and terminal output stay in English.",
        ),
        click.option(
            "--include-images", is_flag=True, help="Embed thumbnails of the faces in the page."
        ),
    )
