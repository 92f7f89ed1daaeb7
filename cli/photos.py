"""`idia-index photos`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from idia_index.cli.options import DIRECTORY, crop_option, json_option, progress_option, write_json
from idia_index.cli.people import claim, tell_notes, tell_skipped
from idia_index.cli.progress import Stages
from idia_index.cli.terminal import say
from idia_index.pipelines.people import read_people
from idia_index.pipelines.photos import (
    look_at_photos,
    model_of,
    photos_text,
    read_crop,
    write_sheet,
)


@click.command(
    epilog="\b\nExamples:\n"
    "  idia-index photos subjects/ --out sheet/\n"
    "  idia-index photos subjects/ --model people.idia --crop face --out sheet/"
)
@click.argument("subjects", type=DIRECTORY)
@click.option(
    "--out",
    type=DIRECTORY,
    metavar="DIR",
    help="Write a contact sheet, index.html, and report.json to this folder.",
)
@click.option(
    "--model",
    metavar="SPEC|INDEX",
    help="Show what this model, or the model of this index, sees, and also compare embeddings; by "
    "default the central 224 x 224 pixels are shown, the input of most CLIP models.",
)
@crop_option
@json_option
@progress_option
def command(
    subjects: Path,
    out: Path | None,
    model: str | None,
    crop: str,
    as_json: bool,
    show_progress: bool | None,
) -> None:
    """Show what a model sees of the photos in SUBJECTS and which of the photos count.

    SUBJECTS is as for audit. Each photo is shown after the model's own resizing and cropping, with
    its faces (extra `faces`), blur, resolution and year; photos of one scene count once. No face
    recognition is done.
    """
    people = read_people(subjects, None)
    tell_notes(people.notes)
    claim(out, people, subjects)
    how = read_crop(crop)
    with Stages(show_progress) as stages:
        loaded = None
        if model is not None:
            stages("loading the model")
            loaded = model_of(model)
        sheet = look_at_photos(people, how, loaded, partial(stages, "looking at photos"))
    tell_skipped(each.reason for person in sheet.result.subjects for each in person.skipped)
    if out is not None:
        write_sheet(sheet, out)
    if as_json:
        write_json(sheet.result)
        return
    say(photos_text(sheet.result))
    if out is not None:
        say(f"\nsheet: {out / 'index.html'}")
