"""Captions and names -> members.csv, members.json, a page and, on demand, every hit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from idia_index.captions.ambiguity import ambiguous
from idia_index.captions.corpora import nameless
from idia_index.captions.records import ID_KINDS
from idia_index.captions.tally import tally
from idia_index.errors import InputError
from idia_index.pipelines.caption_search import (
    WORK,
    Options,
    Progress,
    remove_work,
    search_captions,
)
from idia_index.prompts.names import NameList
from idia_index.report.members import (
    FILES,
    Row,
    document,
    rows,
    write_hits,
    write_members,
)
from idia_index.support.files import private_folder
from idia_index.support.text import shown, shown_path

_OURS = re.compile(rb'\s*\{\s*"format": "idia-index/members/')


@dataclass(frozen=True)
class Members:
    """What the captions say: members.json and the lines of members.csv."""

    data: dict[str, Any]
    lines: list[Row]


def find_members(
    captions: Sequence[str], names: NameList, out: Path, options: Options, progress: Progress
) -> Members:
    """Counts for each name the captions in which it stands, and writes the results into `out`.

    Raises:
        InputError: nothing can be read, or `out` holds files that are not of this program.
    """
    if options.unique_by is not None and options.unique_by not in ID_KINDS:
        raise InputError(
            f"--unique-by {shown(options.unique_by)}: give one of {', '.join(ID_KINDS)}"
        )
    _check_folder(out)
    searched = search_captions(captions, names, out, options, progress)
    matcher = searched.matcher
    kinds = {kind for found in searched.found() for kind in found.ids}
    if options.unique_by is not None and options.unique_by not in kinds:
        raise InputError(
            f"--unique-by {options.unique_by}: no file has such a column; "
            f"{'there is ' + ', '.join(sorted(kinds)) if kinds else 'none tells records apart'}"
        )
    counts = tally(searched.found, len(names), matcher.variants, options.unique_by)
    silent = bool(nameless(list(searched.found())))
    lines = rows(names, counts, ambiguous(names, matcher), silent, matcher.empty)
    data = document(lines, searched, counts, options, names)
    write_members(out, lines, data, matcher.variants)
    if options.hits:
        write_hits(out, [path.with_suffix(".parquet") for path in searched.paths.values()])
    else:
        (out / FILES[3]).unlink(missing_ok=True)  # of an earlier search
    remove_work(out)
    return Members(data, lines)


def _check_folder(out: Path) -> None:
    """Makes the folder; refuses one whose files this program did not write."""
    try:
        private_folder(out)
        there = [file for file in FILES if (out / file).exists()]
        ours = out / FILES[1]
        # A search that was stopped while it wrote its results has left its work beside them.
        begun = (out / WORK / "plan.json").is_file()
        if there and not begun and not (ours.is_file() and _OURS.match(ours.read_bytes()[:100])):
            raise InputError(
                f"{shown_path(out)}: holds {shown(there[0])}, which is of no search of this "
                "program; give --out a new folder, or move it away"
            )
    except OSError as error:
        raise InputError(
            f"{shown_path(out)}: cannot be written ({error.strerror}); give --out another folder"
        ) from error
