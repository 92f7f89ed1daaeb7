"""`idia-index build`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from idia_index import Backend, Index, Session, build_index, read_names, read_templates
from idia_index.cli.name_notes import tell_names, tell_reading, tell_refused
from idia_index.cli.options import (
    DIRECTORY,
    engine_options,
    json_option,
    labeler_of,
    labeler_options,
    model_options,
    names_strict_option,
    progress_option,
    source_options,
    tell_model,
    write_json,
)
from idia_index.cli.progress import Stages
from idia_index.cli.terminal import note, say
from idia_index.errors import InputError
from idia_index.pipelines.build import JAIR2024, check_place, check_room, is_built
from idia_index.pipelines.candidates import (
    FEW_NAMES,
    ORIGINS,
    Drawing,
    NameList,
    all_candidates,
)
from idia_index.pipelines.labels import build_label_index
from idia_index.pipelines.load import load_model
from idia_index.pipelines.readable_names import with_readable_names
from idia_index.registry import Engine, load_index_type
from idia_index.support.text import counted

MANY = 1_000_000  # number of names from which drawing and checking them takes seconds


@dataclass(frozen=True)
class BuildResult:
    """An index that was built.

    Attributes:
        path: its directory.
        templates: number of templates.
        candidates: number of candidate names.
        index_type: how it is stored and searched.
        finished_before: whether it was already finished, so that nothing was done.
    """

    path: str
    templates: int
    candidates: int
    index_type: str
    finished_before: bool


@click.command(
    epilog="\b\nExamples:\n"
    "  idia-index build people.idia --model ViT-B-32-quickgelu/laion400m_e32 \\\n"
    "      --names subjects.txt --sample-names 1000 --seed 1\n"
    "  idia-index build people.idia --model ViT-B-32/epoch_32.pt --names names.txt\n"
    "  idia-index build people.idia --model exported/ --names names.txt"
)
@click.argument("index", type=DIRECTORY)
@click.option(
    "--model",
    required=True,
    metavar="SPEC",
    help="ARCH/PRETRAINED in open_clip's notation, ARCH/PATH for a checkpoint, hf-hub:ORG/NAME, "
    "or the directory of a model or an export.",
)
@click.option(
    "--backend",
    help="open_clip, onnx or a plugin; by default onnx for an export, otherwise open_clip.",
)
@click.option(
    "--names",
    "names_file",
    type=DIRECTORY,
    help="Candidate names, one per line, or a table with a column name.",
)
@click.option(
    "--sample-names",
    type=click.IntRange(min=1),
    metavar="N",
    help="Draw N additional names, half female and half male.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    metavar="N",
    help="Seed for drawing names; by default 42 with --top, as in the paper, otherwise 0.",
)
@click.option(
    "--top",
    type=click.IntRange(min=1),
    metavar="N",
    help="Draw as in the paper: pair the N most common first names of each sex with the N most "
    "common surnames (the paper: 1000).",
)
@click.option(
    "--first-names",
    type=DIRECTORY,
    help="First names to use instead of the package's: a CSV with name, sex and percent.",
)
@click.option(
    "--surnames",
    type=DIRECTORY,
    help="Surnames to use instead of the package's: the US Census table, or one per line.",
)
@click.option("--weighted", is_flag=True, help="Draw common names more often.")
@click.option(
    "--origin",
    type=click.Choice(list(ORIGINS)),
    default="us",
    show_default=True,
    help="Country whose name statistics to draw from.",
)
@click.option(
    "--templates",
    "templates_file",
    type=DIRECTORY,
    help="Templates with {0} or {name}, one per line; by default the paper's 21.",
)
@click.option("--index", "index_type", default="flat", show_default=True, help="Index type.")
@click.option("--resume", is_flag=True, help="Resume a build that was interrupted.")
@click.option(
    "--image-size",
    type=click.IntRange(min=1),
    metavar="PIXELS",
    help="Side of the square that a hosted model takes as input: images are fitted to it before "
    "they are sent (backend http); by default they are sent whole.",
)
@labeler_options
@model_options
@engine_options
@json_option
@names_strict_option
@progress_option
def command(
    index: Path,
    model: str,
    backend: str | None,
    names_file: Path | None,
    sample_names: int | None,
    seed: int | None,
    top: int | None,
    first_names: Path | None,
    surnames: Path | None,
    weighted: bool,
    origin: str,
    templates_file: Path | None,
    index_type: str,
    resume: bool,
    dtype: str,
    device: str | None,
    session: Session,
    engine: Engine,
    image_size: int | None,
    labeler: str | None,
    most_labels: int | None,
    allow_activation_mismatch: bool,
    as_json: bool,
    strict: bool,
    show_progress: bool | None,
    **statements: str | None,
) -> None:
    """Encode every combination of template and name with a model into INDEX, a new directory.

    Use --resume to resume an interrupted build.
    """
    drawing = None
    if sample_names is not None:
        drawing = Drawing(sample_names, seed, weighted, origin, top, first_names, surnames)
    else:
        _check_not_drawn(names_file, top, first_names, surnames)
    listed = read_names(names_file) if names_file is not None else None
    if listed is not None:
        tell_reading(listed)
    templates = read_templates(templates_file) if templates_file else JAIR2024
    if labeler is not None:
        names, _ = all_candidates(listed, drawing)
        tell_names(names)
        asked = labeler_of(labeler, model, most_labels, session)
        labels = build_label_index(index, asked, names, templates=templates, resume=resume)
        _tell_built(index, labels, "labels", False, as_json)
        return
    load_index_type(index_type)  # a wrong one is reported before a model is loaded
    check_place(index, resume=resume)
    total = len(listed or ()) + (sample_names or 0)

    def load() -> Backend:
        stages("loading the model")
        loaded = load_model(model, backend, device=device, dtype=dtype,
                            session=replace(session, folder=index),
                            **source_options(allow_mismatch=allow_activation_mismatch,
                                             image_size=image_size, **statements))  # fmt: skip
        loaded.engine = engine
        tell_model(loaded)
        if not already and not loaded.hosted:  # no request to a service before its price is told
            check_room(index, loaded, total, len(templates), index_type)
        return loaded

    with Stages(show_progress) as stages:
        already = is_built(index)
        # With many names, room is checked before they are drawn, though it takes the model.
        loaded = load() if total >= MANY else None
        names, pool = _candidates(listed, drawing, total)
        loaded = loaded or load()
        if not already:
            _tell_few(len(names))
        build = partial(
            build_index, index, loaded, templates=templates, index_type=index_type, pool=pool,
            resume=resume, progress=partial(stages, "encoding prompts"),
            checking=partial(stages, "checking the names' prompts"),
        )  # fmt: skip
        refused = listed.refused if listed is not None else ()
        built, unread = with_readable_names(build, loaded, names, templates, refused, strict)
    tell_refused(listed, unread)
    _tell_built(index, built, index_type, already, as_json)


def _tell_few(names: int) -> None:
    if names < FEW_NAMES:
        note(
            f"only {counted(names, 'candidate name')}, where the protocol takes 1,000: chance "
            "associates more people; --sample-names 1000 draws more names"
        )


def _candidates(
    listed: NameList | None, drawing: Drawing | None, total: int
) -> tuple[NameList, Mapping[str, Any] | None]:
    """All names, and what is needed to draw the drawn ones again; notes what is odd about them."""
    if total >= MANY:
        note(f"drawing and checking {total:,} names first")
    names, pool = all_candidates(listed, drawing)
    tell_names(names)
    if pool and (repeated := pool.get("repeated")):
        note(f"drawn names that were already candidates: {len(repeated):,}")
    return names, pool


def _check_not_drawn(names: Path | None, *drawn_from: object) -> None:
    """Raises InputError if nothing says how many names to draw, or if there are no names."""
    if any(drawn_from):
        raise InputError(
            "--top, --first-names and --surnames need --sample-names N, the number of names to draw"
        )
    if names is None:
        raise InputError("no candidate names: pass --names FILE, --sample-names N, or both")


def _tell_built(index: Path, built: Index, index_type: str, already: bool, as_json: bool) -> None:
    """Reports the index that was built."""
    path = os.fsdecode(index.resolve())
    result = BuildResult(path, len(built.templates), len(built), index_type, already)
    if as_json:
        write_json(result)
        return
    state = "already finished, " if already else ""
    end = ", no vectors" if index_type == "labels" else ""
    say(f"{index}: {state}{result.templates} templates x {result.candidates:,} names{end}")
