"""Options of how a report is written: `--about`, `--language`, `--include-images`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from idia_index.cli.options import DIRECTORY
from idia_index.pipelines.about import About, read_about
from idia_index.pipelines.report_files import LANGUAGES

F = TypeVar("F", bound=Callable[..., Any])


def report_options(function: F) -> F:
    """Adds the options; `about` comes as what the file states."""
    for option in (
        click.option(
            "--include-images", is_flag=True, help="Show small copies of the faces in the page."
        ),
        click.option(
            "--language",
            type=click.Choice(list(LANGUAGES)),
            default="en",
            show_default=True,
            help="Language of the page; JSON and terminal stay English.",
        ),
        click.option(
            "--about",
            type=DIRECTORY,
            callback=_read,
            metavar="FILE.toml",
            help="What stands on the report's first page: title, date, organisation, purpose, "
            "lawful_basis, auditor.",
        ),
    ):
        function = option(function)
    return function


def _read(context: click.Context, parameter: click.Parameter, value: Path | None) -> About | None:
    return None if value is None else read_about(value)
