"""What the captions say of every name -> members.csv, members.json, hits.parquet and a page."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from idia_index.captions.corpora import nameless
from idia_index.captions.rules import SUBSTRING, TOTAL, VARIANTS
from idia_index.captions.tally import Tally
from idia_index.prompts.names import NameList
from idia_index.support.files import private, publish, write_whole
from idia_index.support.text import json_text, printable

FORMAT = "idia-index/members/1"
FILES = ("members.csv", "members.json", "index.html", "hits.parquet")
PAPER_BINS = (1, 25, 50, 75, 100, 125, 150, 200, 225, 250, 275, 300)
"""Lower ends of the paper's bins of the training count, after those without a caption."""

RULE_TEXT = {
    "name": "whole words in Unicode NFKC without case; each variant counted by itself",
    "paper": "the name's letters anywhere in a caption, in the same case, as the paper counted; "
    "there a name was a regular expression, so that a full stop stood for any character",
}


@dataclass(frozen=True)
class Row:
    """One name's line in members.csv; `membership` "" where the captions do not tell."""

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
        ambiguous: why each name is, "" where it is not.
        silent: whether the captions cannot hold names, so that no hit says nothing.
        empty: names that leave nothing to look for.
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


def document(
    lines: Sequence[Row], searched: Any, tally: Tally, options: Any, names: NameList
) -> dict[str, Any]:
    """members.json: what was read, how, and what came of it; no name stands in it."""
    variants = searched.matcher.variants
    found = list(searched.found())
    sources = [
        _source(searched.sources[number], each)
        for number, each in zip(searched.paths, found, strict=True)
    ]
    counts = [row.training_count for row in lines]
    return {
        "format": FORMAT,
        "rule": options.rule,
        "rule_text": RULE_TEXT[options.rule],
        "variants": {name: VARIANTS.get(name, "the name's letters") for name in variants},
        "training_count_is": [name for name in variants if name in (*TOTAL, SUBSTRING)],
        "names": len(lines),
        "names_sha256": hashlib.sha256("\n".join(names).encode("utf-8")).hexdigest(),
        "duplicate_names": names.duplicate_count,
        "members": sum(row.membership == "member" for row in lines),
        "non_members": sum(row.membership == "non_member" for row in lines),
        "unknown": sum(not row.membership for row in lines),
        "ambiguous": sum(bool(row.ambiguous) for row in lines),
        "hits": int(tally.hits.sum()),
        "totals": dict(zip(variants, tally.variants.sum(axis=0).tolist(), strict=True)),
        "repeated_hits": tally.repeats_by,
        "duplicates_by": tally.judged_by,
        "unique_by": options.unique_by,
        "bins": _bins(counts),
        "records": sum(each.records for each in found),
        "left_out": sum(each.left_out for each in found),
        "malformed": sum(each.malformed for each in found),
        "caption_bytes": sum(each.caption_bytes for each in found),
        "cannot_hold_names": nameless(found),
        "faces_blurred": any(each.layout.faces_blurred for each in found),
        "sources": sources,
        "damaged": [{"file": file, "reason": why} for file, why in searched.damaged.items()],
        "notes": searched.notes,
    }


def _source(source: Any, found: Any) -> dict[str, Any]:
    return {
        "file": source.place,
        "format": source.format,
        "layout": found.layout.name,
        "row_groups": list(source.groups) if source.groups else None,
        "bytes": source.size,
        "sha256": found.sha256 or None,
        "captions": list(found.layout.captions),
        "ids": found.layout.ids,
        "records": found.records,
        "left_out": found.left_out,
        "malformed": found.malformed,
        "caption_bytes": found.caption_bytes,
        "hits": len(found.names),
    }


def _bins(counts: Sequence[int]) -> list[dict[str, Any]]:
    """How many names have how many captions, in the paper's bins."""
    ends: list[int | None] = [*PAPER_BINS[1:], None]
    bins: list[dict[str, Any]] = [
        {"from": 0, "to": 0, "names": sum(count == 0 for count in counts)}
    ]
    for low, high in zip(PAPER_BINS, ends, strict=True):
        inside = sum(low <= count and (high is None or count < high) for count in counts)
        bins.append({"from": low, "to": None if high is None else high - 1, "names": inside})
    return bins


def members_html(data: dict[str, Any], lines: Sequence[Row]) -> str:
    """The page: what the captions cannot say first, then counts, then what was read."""
    import jinja2

    folder = resources.files("idia_index.report") / "templates"
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string((folder / "members.html.j2").read_text("utf-8"))
    frequent = sorted(lines, key=lambda row: -row.training_count)[:20]
    most = max([1, *(each["names"] for each in data["bins"])])
    return printable(
        template.render(
            data=data,
            frequent=[row for row in frequent if row.training_count],
            flagged=[row for row in lines if row.ambiguous][:100],
            most=most,
        )
    )


def write_members(
    out: Path, lines: Sequence[Row], data: dict[str, Any], variants: Sequence[str]
) -> None:
    """Writes the table, the document and the page, for their owner only."""
    write_whole(out / FILES[0], members_csv(lines, variants))
    write_whole(out / FILES[2], members_html(data, lines).encode("utf-8"))
    write_whole(out / FILES[1], json_text(data, indent=1).encode("utf-8"))


def write_hits(out: Path, parts: Sequence[Path]) -> None:
    """Puts the parts of hits.parquet together, one at a time."""
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
