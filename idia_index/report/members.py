"""Writes the result of `members`: members.csv, members.json, hits.parquet and a page."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from idia_index.captions.tally import Tally
from idia_index.prompts.packed_names import NameList
from idia_index.report.html import render
from idia_index.report.subject_result import SkippedFile
from idia_index.support.documents import named, to_json
from idia_index.support.files import private, publish, write_whole
from idia_index.support.text import json_text

FILES = ("members.csv", "members.json", "index.html", "hits.parquet")
PAPER_BINS = (1, 25, 50, 75, 100, 125, 150, 200, 225, 250, 275, 300)
"""Lower ends of the paper's bins of the training count, above zero."""

RULE_TEXT = {
    "name": "whole words in Unicode NFKC, ignoring case; each variant counted separately",
    "paper": "the name's letters anywhere in a caption, in the same case, as the paper counted; "
    "there a name was a regular expression, so a full stop matched any character",
}


@dataclass(frozen=True)
class CaptionFile:
    """A file of captions that was read, or a part of a large one.

    Attributes:
        file: path or URL.
        format: how it was read.
        layout: its layout.
        row_groups: for a part of a parquet file, the first row group and the one after the last.
        bytes: size of the file or part; 0 if unknown.
        sha256: the hash of a local file, given at its first part; null if not requested.
        captions: the columns of captions.
        ids: the columns that identify records, by kind.
        records: number of records searched.
        left_out: number of records that were not trained on.
        malformed: number of lines that are not records.
        caption_bytes: bytes of all captions.
        hits: pairs of a record and a name in it.
    """

    file: str
    format: str
    layout: str
    row_groups: tuple[int, int] | None
    bytes: int
    sha256: str | None
    captions: tuple[str, ...]
    ids: Mapping[str, str]
    records: int
    left_out: int
    malformed: int
    caption_bytes: int
    hits: int


@dataclass(frozen=True)
class CountBin:
    """The number of names that appear in a range of captions.

    Attributes:
        low: minimum captions.
        high: maximum captions; null: unlimited.
        names: number of names.
    """

    low: int = named("from")
    high: int | None = named("to")
    names: int = named("names")


@dataclass(frozen=True)
class MembersResult:
    """What was read, how, and the result: the content of members.json, without any name.

    Attributes:
        format: name and version of the document's format.
        rule: the rule for a match.
        rule_text: the same in words.
        variants: the columns that a match may be counted in, and their meaning.
        training_count_is: the columns that make up the training count.
        names: number of names searched for.
        names_sha256: SHA-256 of the names, one per line.
        duplicate_names: names given twice, which count once.
        members: number of names found in a caption.
        non_members: number of names found in none.
        unknown: number of names that the captions cannot decide.
        ambiguous: names of one word, or part of another name.
        hits: pairs of a record and a name in it, including dropped ones.
        totals: hits by variant.
        repeated_hits: hits that repeat an earlier one of their name, by kind of identity.
        duplicates_by: the kind of identity for each name's share of duplicates; null without any.
        unique_by: the kind of identity by which repeats were dropped; null if none were.
        bins: names by training count, in the paper's bins.
        records: number of records searched.
        left_out: number of records that were not trained on.
        malformed: number of lines that are not records.
        caption_bytes: bytes of all captions.
        cannot_hold_names: why zero hits mean nothing.
        faces_blurred: whether the data lists boxes of blurred faces.
        sources: the files read.
        damaged: damaged files, which are not counted.
        notes: what else was not read.
    """

    format: Literal["idia-index/members/1"]
    rule: Literal["name", "paper"]
    rule_text: str
    variants: Mapping[str, str]
    training_count_is: tuple[str, ...]
    names: int
    names_sha256: str
    duplicate_names: int
    members: int
    non_members: int
    unknown: int
    ambiguous: int
    hits: int
    totals: Mapping[str, int]
    repeated_hits: Mapping[str, int]
    duplicates_by: str | None
    unique_by: str | None
    bins: tuple[CountBin, ...]
    records: int
    left_out: int
    malformed: int
    caption_bytes: int
    cannot_hold_names: tuple[str, ...]
    faces_blurred: bool
    sources: tuple[CaptionFile, ...]
    damaged: tuple[SkippedFile, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """One name's line in members.csv; `membership` is "" if the captions cannot decide."""

    name: str
    membership: str
    training_count: int
    variants: tuple[int, ...]
    duplicate_share: float | None
    ambiguous: str


def rows(
    names: NameList, tally: Tally, ambiguous: Sequence[str], silent: bool, empty: Sequence[int]
) -> list[Row]:
    """The lines of members.csv, in the order of the names.

    Args:
        ambiguous: why each name is ambiguous; "" if it is not.
        silent: whether the captions cannot contain names, so that zero hits mean nothing.
        empty: names without anything to search for.
    """
    unsought = set(empty)
    lines = []
    for number, name in enumerate(names):
        variants = tuple(tally.variants[number].tolist())
        count, hits = int(tally.total[number]), sum(variants)
        if count:
            membership = "member"
        else:
            membership = "" if silent or hits or number in unsought else "non_member"
        everything = int(tally.hits[number])
        share = None
        if tally.judged_by is not None and everything:
            share = int(tally.repeated[number]) / everything
        lines.append(Row(name, membership, count, variants, share, ambiguous[number]))
    return lines


def members_csv(lines: Sequence[Row], variants: Sequence[str]) -> bytes:
    """The table."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["name", "membership", "training_count", *variants,
                     "duplicate_share", "ambiguous"])  # fmt: skip
    for row in lines:
        share = "" if row.duplicate_share is None else f"{row.duplicate_share:.4f}"
        writer.writerow([row.name, row.membership, row.training_count, *row.variants,
                         share, row.ambiguous])  # fmt: skip
    return stream.getvalue().encode("utf-8")


def count_bins(lines: Sequence[Row]) -> tuple[CountBin, ...]:
    """The numbers of names by number of captions, in the paper's bins."""
    counts = [row.training_count for row in lines]
    lows = (0, *PAPER_BINS)
    highs = (*(low - 1 for low in PAPER_BINS), None)
    return tuple(
        CountBin(low, high, sum(low <= n and (high is None or n <= high) for n in counts))
        for low, high in zip(lows, highs, strict=True)
    )


def members_html(data: MembersResult, lines: Sequence[Row]) -> str:
    """The page: caveats first, then counts, then what was read."""
    frequent = sorted(lines, key=lambda row: -row.training_count)[:20]
    return render(
        "members.html.j2",
        data=data,
        frequent=[row for row in frequent if row.training_count],
        flagged=[row for row in lines if row.ambiguous][:100],
        most=max([1, *(each.names for each in data.bins)]),
    )


def write_members(
    out: Path, lines: Sequence[Row], data: MembersResult, variants: Sequence[str]
) -> None:
    """Writes the table, the document and the page, readable only by their owner."""
    write_whole(out / FILES[0], members_csv(lines, variants))
    write_whole(out / FILES[2], members_html(data, lines).encode("utf-8"))
    write_whole(out / FILES[1], json_text(to_json(data), indent=1).encode("utf-8"))


def write_hits(out: Path, parts: Sequence[Path]) -> None:
    """Concatenates the parts of hits.parquet, one at a time."""
    from pyarrow import parquet

    part = out / "hits.parquet.part"
    part.unlink(missing_ok=True)
    with open(part, "xb", opener=private) as file:
        writer = None
        for path in parts:
            table = parquet.read_table(path)
            writer = writer or parquet.ParquetWriter(file, table.schema)
            writer.write_table(table)
        if writer is not None:
            writer.close()
    publish(part, out / FILES[3])
