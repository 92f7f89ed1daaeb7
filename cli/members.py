"""`idia-index members`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from idia_index import read_names
from idia_index.cli.options import DIRECTORY, ENGINE, json_option, progress_option, write_json
from idia_index.cli.progress import Stages
from idia_index.cli.terminal import note, notes, say
from idia_index.pipelines.members import (
    FORMATS,
    ID_KINDS,
    RULES,
    Columns,
    MembersResult,
    Options,
    find_members,
)
from idia_index.registry import load_engine
from idia_index.support.columns import pairs
from idia_index.support.text import counted, shown_path

_NOTES_SHOWN = 20


@click.command(
    epilog="\b\nExamples:\n"
    "  idia-index members 'laion400m/*.parquet' --names people.txt --out members/\n"
    "  idia-index members train.tsv --caption-column title --names people.txt --out members/\n"
    "  idia-index members s3://bucket/shards/ --names people.txt --match paper --out members/"
)
@click.argument("captions", nargs=-1, required=True)
@click.option("--names", type=DIRECTORY, required=True, help="File of names, one per line.")
@click.option(
    "--out",
    type=DIRECTORY,
    metavar="DIR",
    default=Path("members"),
    show_default=True,
    help="Write members.csv, members.json and index.html to this folder; an interrupted search is "
    "resumed from it.",
)
@click.option(
    "--match",
    "rule",
    type=click.Choice(RULES),
    default="name",
    show_default=True,
    help="name: whole words, case-insensitive, with each variant counted separately. paper: the "
    "name as a substring anywhere, case-sensitive.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="Format of all files; by default taken from each file's suffix.",
)
@click.option(
    "--caption-column",
    multiple=True,
    help="Column of captions, numbered from 0 if there is no header; repeatable, and a record is "
    "counted once.",
)
@click.option("--id-columns", multiple=True, help="Columns that identify a record; repeatable.")
@click.option(
    "--unique-by",
    type=click.Choice(ID_KINDS),
    help="Count records with the same address, key or hash only once.",
)
@click.option(
    "--duplicates/--no-duplicates",
    default=True,
    help="Read record identifiers and report duplicates; the search is faster without it.",
)
@click.option("--hashes/--no-hashes", default=True, help="Record the SHA-256 of every local file.")
@click.option(
    "--hits",
    is_flag=True,
    help="Write hits.parquet: file, row, address, key and caption of every hit. Personal data.",
)
@click.option("--strict", is_flag=True, help="Fail if a file cannot be read.")
@ENGINE
@click.option(
    "--workers",
    type=click.IntRange(1),
    help="Number of processes, by default one per core; with --engine ray, of cluster workers.",
)
@json_option
@progress_option
def command(
    captions: tuple[str, ...],
    names: Path,
    out: Path,
    form: str | None,
    caption_column: tuple[str, ...],
    id_columns: tuple[str, ...],
    duplicates: bool,
    hashes: bool,
    engine: str,
    workers: int | None,
    as_json: bool,
    show_progress: bool | None,
    **given: Any,
) -> None:
    """Count how often each name appears in the training captions CAPTIONS.

    CAPTIONS are files, folders, globs or URLs: Parquet, WebDataset tars, folders of KEY.txt files,
    TSV, CSV, JSON, JSON Lines and text, plain or compressed with gzip or zstd.
    """
    people = read_names(names)
    options = Options(
        columns=Columns(caption_column, id_columns),
        format=form,
        identify=duplicates or given["unique_by"] is not None,
        hash_files=hashes,
        workers=workers,
        engine=None if engine == "local" else load_engine(engine, workers=workers),
        **given,
    )
    with Stages(show_progress) as progress:
        progress("preparing the search")
        found = find_members(captions, people, out, options, progress)
    _tell(found.data, out, options)
    if as_json:
        write_json(found.data)
        return
    say(_summary(found.data))
    say(f"\ntable: {shown_path(out / 'members.csv')}\nreport: {shown_path(out / 'index.html')}")


def _tell(data: MembersResult, out: Path, options: Options) -> None:
    """Says on standard error what a reader of the counts must know."""
    for reason in data.cannot_hold_names:
        say(f"warning: {reason}", err=True)
    if data.faces_blurred:
        say(
            "warning: this data has faces blurred by default (face_bboxes): a name in a caption "
            "does not mean that the model saw the face",
            err=True,
        )
    damaged = [f"not counted: {each.file}: {each.reason}" for each in data.damaged]
    notes(damaged, _NOTES_SHOWN, "files that were not counted")
    notes(data.notes, _NOTES_SHOWN)
    if options.hits:
        note(
            f"{shown_path(out / 'hits.parquet')} lists captions and addresses that name people: it "
            "is personal data, readable only by its owner"
        )


def _summary(data: MembersResult) -> str:
    layouts = sorted({source.layout for source in data.sources})
    told = {
        "names": f"{data.names:,}: {data.members:,} members, {data.non_members:,} "
        f"non-members, {data.unknown:,} unknown",
        "records": f"{data.records:,} in {counted(len({s.file for s in data.sources}), 'file')}; "
        f"left out: {data.left_out:,} not trained on, {data.malformed:,} malformed",
        "layouts": ", ".join(layouts),
        "match": f"{data.rule}: {data.rule_text}",
    }
    for variant, count in data.totals.items():
        remark = "" if variant in data.training_count_is else "  (not in the training count)"
        told[f"  {variant}"] = f"{count:,}{remark}"
    for kind, count in data.repeated_hits.items():
        dropped = ", dropped" if kind == data.unique_by else ""
        told[f"repeated {kind}"] = f"{count:,} of {data.hits:,} hits{dropped}"
    if data.ambiguous:
        told["ambiguous"] = f"{data.ambiguous:,} names: one word, or part of another name"
    return pairs(told)
