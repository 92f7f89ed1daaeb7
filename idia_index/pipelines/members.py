"""Counts names in captions and writes members.csv, members.json, a page and, on demand, hits."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from idia_index.captions.corpora import nameless
from idia_index.captions.matching import ambiguous
from idia_index.captions.records import ID_KINDS, Columns, Found, Source
from idia_index.captions.rules import RULES, SUBSTRING, TOTAL, VARIANTS
from idia_index.captions.sources import FORMATS
from idia_index.captions.tally import Tally, tally
from idia_index.errors import InputError
from idia_index.pipelines.caption_search import (
    WORK,
    Options,
    Searched,
    remove_work,
    search_captions,
)
from idia_index.prompts.packed_names import NameList
from idia_index.report.members import (
    FILES,
    RULE_TEXT,
    CaptionFile,
    MembersResult,
    Row,
    count_bins,
    rows,
    write_hits,
    write_members,
)
from idia_index.report.subject_result import SkippedFile
from idia_index.support.files import private_folder
from idia_index.support.text import shown, shown_path
from idia_index.types import StageProgress

__all__ = [
    "FORMATS", "ID_KINDS", "RULES", "Columns", "Members", "MembersResult", "Options",
    "find_members",
]  # fmt: skip

_OURS = re.compile(rb'\s*\{\s*"format": "idia-index/members/')


@dataclass(frozen=True)
class Members:
    """The result: members.json and the lines of members.csv."""

    data: MembersResult
    lines: list[Row]


def find_members(
    captions: Sequence[str], names: NameList, out: Path, options: Options, progress: StageProgress
) -> Members:
    """Counts the captions that contain each name, and writes the results into `out`.

    Raises:
        InputError: nothing can be read, or `out` holds other programs' files.
    """
    if options.unique_by is not None and options.unique_by not in ID_KINDS:
        raise InputError(
            f"--unique-by {shown(options.unique_by)}: choose one of {', '.join(ID_KINDS)}"
        )
    _check_folder(out)
    searched = search_captions(captions, names, out, options, progress)
    matcher = searched.matcher
    kinds = {kind for found in searched.found() for kind in found.ids}
    if options.unique_by is not None and options.unique_by not in kinds:
        raise InputError(
            f"--unique-by {options.unique_by}: no file has such a column; "
            f"{'available: ' + ', '.join(sorted(kinds)) if kinds else 'none identifies records'}"
        )
    counts = tally(searched.found, len(names), matcher.variants, options.unique_by)
    found = list(searched.found())
    silent = nameless(found)
    lines = rows(names, counts, ambiguous(names, matcher), bool(silent), matcher.empty)
    data = _document(names, options, searched, found, silent, counts, lines)
    write_members(out, lines, data, matcher.variants)
    if options.hits:
        write_hits(out, [path.with_suffix(".parquet") for path in searched.paths.values()])
    else:
        (out / FILES[3]).unlink(missing_ok=True)  # of an earlier search
    remove_work(out)
    return Members(data, lines)


def _check_folder(out: Path) -> None:
    """Makes the folder; refuses one with files that this program did not write."""
    try:
        private_folder(out)
        there = [file for file in FILES if (out / file).exists()]
        ours = out / FILES[1]
        # A search stopped while writing its results has left its work beside them.
        begun = (out / WORK / "plan.json").is_file()
        if there and not begun and not (ours.is_file() and _OURS.match(ours.read_bytes()[:100])):
            raise InputError(
                f"{shown_path(out)}: holds {shown(there[0])}, which is not from a search of this "
                "program; pass a new folder with --out, or move it away"
            )
    except OSError as error:
        raise InputError(
            f"{shown_path(out)}: cannot be written ({error.strerror}); pass another folder with "
            "--out"
        ) from error


def _document(
    names: NameList,
    options: Options,
    searched: Searched,
    found: Sequence[Found],
    silent: Sequence[str],
    counts: Tally,
    lines: Sequence[Row],
) -> MembersResult:
    variants = searched.matcher.variants
    memberships = [row.membership for row in lines]
    return MembersResult(
        format="idia-index/members/1",
        rule=options.rule,
        rule_text=RULE_TEXT[options.rule],
        variants={name: VARIANTS.get(name, "the name's letters") for name in variants},
        training_count_is=tuple(name for name in variants if name in (*TOTAL, SUBSTRING)),
        names=len(lines),
        names_sha256=hashlib.sha256("\n".join(names).encode("utf-8")).hexdigest(),
        duplicate_names=names.duplicate_count,
        members=memberships.count("member"),
        non_members=memberships.count("non_member"),
        unknown=memberships.count(""),
        ambiguous=sum(bool(row.ambiguous) for row in lines),
        hits=int(counts.hits.sum()),
        totals=dict(zip(variants, counts.variants.sum(axis=0).tolist(), strict=True)),
        repeated_hits=counts.repeats_by,
        duplicates_by=counts.judged_by,
        unique_by=options.unique_by,
        bins=count_bins(lines),
        records=sum(each.records for each in found),
        left_out=sum(each.left_out for each in found),
        malformed=sum(each.malformed for each in found),
        caption_bytes=sum(each.caption_bytes for each in found),
        cannot_hold_names=tuple(silent),
        faces_blurred=any(each.layout.faces_blurred for each in found),
        sources=tuple(
            _file(searched.sources[number], each)
            for number, each in zip(searched.paths, found, strict=True)
        ),
        damaged=tuple(SkippedFile(file, why) for file, why in searched.damaged.items()),
        notes=tuple(searched.notes),
    )


def _file(source: Source, found: Found) -> CaptionFile:
    return CaptionFile(
        file=source.place,
        format=source.format,
        layout=found.layout.name,
        row_groups=source.groups,
        bytes=source.size,
        sha256=found.sha256 or None,
        captions=found.layout.captions,
        ids=found.layout.ids,
        records=found.records,
        left_out=found.left_out,
        malformed=found.malformed,
        caption_bytes=found.caption_bytes,
        hits=len(found.names),
    )
