"""`idia-index query`."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from idia_index import open_index
from idia_index.cli.options import (
    DIRECTORY,
    Override,
    crop_option,
    engine_options,
    json_option,
    model_of,
    override_options,
    progress_option,
    reference_option,
    show,
    strict_option,
    tau_option,
    verify_option,
)
from idia_index.cli.people import tell_skipped, tell_spelling
from idia_index.cli.progress import Stages
from idia_index.cli.terminal import note
from idia_index.pipelines.checks import check_threshold
from idia_index.pipelines.people import make_person
from idia_index.pipelines.query import how_read, query
from idia_index.registry import Engine


@click.command(
    epilog="\b\nExamples:\n"
    "  idia-index query people.idia photos/*.jpg --name 'Jane Doe'\n"
    "  idia-index query people.idia photos/ --name 'Jane Doe' --json\n"
    "  idia-index query people.idia photos/ --name 'Jane Doe' --model exported/"
)
@click.argument("index", type=DIRECTORY)
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True, type=DIRECTORY)
@click.option("--name", required=True, help="The person's name; the model is asked about no other.")
@click.option(
    "--top",
    type=click.IntRange(min=1),
    metavar="K",
    help="Also show the vote counts of the K leading names; other people's names are shown only if "
    "--name leads.",
)
@strict_option
@reference_option
@crop_option
@tau_option
@verify_option
@override_options
@engine_options
@json_option
@progress_option
def command(
    index: Path,
    images: tuple[Path, ...],
    name: str,
    top: int | None,
    strict: bool,
    reference_faces: Path | None,
    crop: str,
    tau: int,
    check_shards: bool,
    override: Override,
    engine: Engine,
    as_json: bool,
    show_progress: bool | None,
) -> None:
    """Ask whether the model associates the face in IMAGE... with --name.

    IMAGE is a file or a folder of images, all of one person; a folder with folders of several
    people is refused (see audit). The published protocol uses 30 images.

    Image embeddings are cached in INDEX (images.cache) for later runs; set
    IDIA_INDEX_IMAGE_CACHE=off to disable the cache.
    """
    opened = open_index(index, verify=check_shards)
    check_threshold(opened, tau)
    subject = make_person(name, images, crop)
    if told := how_read(name, subject):
        note(told)
    tell_spelling(opened, [subject.name])
    with Stages(show_progress) as stages:
        stages("loading the model")
        loaded = model_of(opened, override, engine)
        result = query(opened, loaded, subject, tau=tau, top=top, strict=strict,
                       reference_faces=reference_faces,
                       progress=partial(stages, "encoding images"))  # fmt: skip
    tell_skipped(result.left_out_files)
    show(result, as_json)
