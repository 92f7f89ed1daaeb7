"""`idia-index add`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click

from idia_index import open_index, read_names, read_templates
from idia_index.cli.name_notes import tell_left_out, tell_names, tell_reading, tell_refused
from idia_index.cli.options import (
    DIRECTORY,
    Override,
    backend_of,
    engine_options,
    json_option,
    names_strict_option,
    override_options,
    progress_option,
    tell_backend,
    write_json,
)
from idia_index.cli.progress import Stages
from idia_index.cli.terminal import say
from idia_index.errors import InputError
from idia_index.pipelines.change import add_names, add_templates
from idia_index.pipelines.readable_names import with_readable_names
from idia_index.registry import Engine
from idia_index.support.text import counted

KNOWN = "already in the index"


@dataclass(frozen=True)
class AddResult:
    """What was added to an index.

    Attributes:
        path: its directory.
        names_added: number of names that were new.
        templates_added: number of templates that were new.
        there_already: names and templates that it already held, as given.
        candidates: number of candidate names now.
        templates: number of templates now.
    """

    path: str
    names_added: int
    templates_added: int
    there_already: tuple[str, ...]
    candidates: int
    templates: int


@click.command(
    epilog="\b\nExamples:\n"
    "  idia-index add people.idia --names more.txt\n"
    "  idia-index add people.idia --templates more-templates.txt"
)
@click.argument("index", type=DIRECTORY)
@click.option(
    "--names",
    "names_file",
    type=DIRECTORY,
    help="Names to add, one per line, or a table with a column name.",
)
@click.option(
    "--templates",
    "templates_file",
    type=DIRECTORY,
    help="Templates to add, with {0} or {name}, one per line.",
)
@override_options
@engine_options
@json_option
@names_strict_option
@progress_option
def command(
    index: Path,
    names_file: Path | None,
    templates_file: Path | None,
    override: Override,
    engine: Engine,
    as_json: bool,
    strict: bool,
    show_progress: bool | None,
) -> None:
    """Add names or templates to INDEX; only new ones are encoded.

    Names and templates already in INDEX are reported and not stored twice. If interrupted, INDEX
    is left unchanged, and the same command resumes from the work already done.
    """
    if names_file is None and templates_file is None:
        raise InputError("nothing to add: pass --names FILE, --templates FILE, or both")
    names = read_names(names_file) if names_file else None
    templates = read_templates(templates_file) if templates_file else None
    if names is not None:
        tell_reading(names)
        tell_names(names)
    opened = open_index(index)
    names_added = templates_added = 0
    there: list[str] = []
    unread: dict[int, str] = {}
    with Stages(show_progress) as stages:
        stages("loading the model")
        loaded = backend_of(opened, override)
        loaded.engine = engine
        tell_backend(loaded)
        progress = partial(stages, "encoding prompts")
        if names is not None:
            templates_there = opened.templates
            opened.close()  # while open, files named only by its manifest would stay on disk
            add = partial(add_names, index, loaded, progress=progress)
            done, unread = with_readable_names(
                add, loaded, names, templates_there, names.refused, strict
            )
            opened, names_added = done.index, done.done
            there += done.left_out
        if templates is not None:
            opened.close()
            done = add_templates(index, loaded, templates, progress)
            opened, templates_added = done.index, done.done
            there += done.left_out
    tell_refused(names, unread)
    tell_left_out(KNOWN, tuple(there))
    if as_json:
        path = os.fsdecode(index.resolve())
        result = AddResult(path, names_added, templates_added, tuple(there), len(opened),
                           len(opened.templates))  # fmt: skip
        write_json(result)
        return
    if names is not None:
        say(f"{index}: {counted(names_added, 'name')} added, now {len(opened):,}")
    if templates is not None:
        say(f"{index}: {counted(templates_added, 'template')} added, now {len(opened.templates)}")
