"""`idia-index replay`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from idia_index import open_index
from idia_index.cli.options import (
    DIRECTORY,
    Override,
    backend_of,
    json_option,
    override_options,
    progress_option,
    write_json,
)
from idia_index.cli.progress import Stages
from idia_index.cli.terminal import say
from idia_index.errors import IdiaIndexError
from idia_index.pipelines.recorded_report import read_report
from idia_index.pipelines.replay import ReplayResult, replay, value_made_again
from idia_index.support.columns import pairs
from idia_index.support.documents import Json
from idia_index.support.json_diff import MISSING, Difference
from idia_index.support.text import counted

SHOWN = 3
LONGEST = 100


@click.command(
    epilog="\b\nExamples:\n"
    "  idia-index replay report/report.json\n"
    "  idia-index replay report/ --index copy-of-people.idia\n"
    "  idia-index replay report/ --subjects moved/"
)
@click.argument("report", type=DIRECTORY)
@click.option(
    "--index",
    "index_path",
    type=DIRECTORY,
    help="The index, if it has moved since the report was made.",
)
@click.option(
    "--subjects",
    type=DIRECTORY,
    metavar="MOVED",
    help="Folder or table with the photos, if they have moved or been renamed; they are matched by "
    "their SHA-256.",
)
@override_options
@json_option
@progress_option
def command(
    report: Path,
    index_path: Path | None,
    subjects: Path | None,
    override: Override,
    as_json: bool,
    show_progress: bool | None,
) -> None:
    """Recompute REPORT from images, index and model, and compare every value.

    REPORT is a report.json from evaluate --out, audit --out, study or demo. Images and index must
    be the ones it was made from: their hashes are compared. Whose images they are, membership and
    training counts are compared with the original SUBJECTS, if still in place, or with MOVED.
    Exits with status 1 if anything differs; docs/statistics.md explains what this proves.
    """
    recorded = read_report(report)
    opened = open_index(index_path or Path(recorded.report.index.path))
    with Stages(show_progress) as progress:
        progress("loading the model")
        loaded = backend_of(opened, override)
        found = replay(recorded, opened, loaded, progress, subjects)
    if as_json:
        write_json(found)
    else:
        say(_text(found))
    if not found.holds:
        raise IdiaIndexError(f"{recorded.path}: does not hold; the differences are listed above")


def _text(found: ReplayResult) -> str:
    verdict = "does NOT hold"
    if found.holds:
        verdict = "holds, bit for bit" if found.exact else "holds"
    rows = {
        "report": verdict,
        "recomputed": f"{counted(found.subjects, 'person', 'people')}, from images, index and "
        "model",
        "who they are": f"compared with {found.source}"
        if found.source
        else "NOT compared: the original SUBJECTS are gone or not recorded",
    }
    if found.moved is not None:
        rows["photos"] = f"{counted(found.moved, 'photo')} moved, found by SHA-256"
    if found.rounded_otherwise:
        rows["rounded differently"] = (
            f"{counted(found.rounded_otherwise, 'measured number')}, within "
            f"{found.similarity_tolerance:.0e} of a similarity"
        )
    lines = [pairs(rows), *_differences(found.differences)]
    then, now = (each.get("idia-index") for each in (found.versions_then, found.versions_now))
    if found.differences and then != now:
        lines.append(f"\nmade by idia-index {then}, replayed by {now}: wording may have changed")
    return "\n".join(lines)


def _differences(found: Sequence[Difference]) -> list[str]:
    """The first differences of each kind, each with both values."""
    kinds: dict[str, list[Difference]] = {}
    for each in found:
        kinds.setdefault(each.what, []).append(each)
    lines = []
    for what, these in kinds.items():
        lines.append(f"\n{what}: {counted(len(these), 'difference')}")
        lines += [
            f"  {one.where}: {_value(one.recorded)}, recomputed {_value(value_made_again(one))}"
            for one in these[:SHOWN]
        ]
        if len(these) > SHOWN:
            lines.append(f"  and {len(these) - SHOWN:,} more; --json lists all")
    return lines


def _value(value: Json) -> str:
    if isinstance(value, dict | list):
        return counted(len(value), "value")
    text = MISSING if value == MISSING else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
