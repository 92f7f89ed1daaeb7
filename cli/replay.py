"""`idia-index replay`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from idia_index.cli.console import pairs
from idia_index.cli.options import (
    DIRECTORY,
    backend_of,
    json_option,
    override_options,
    progress_option,
    write_json,
)
from idia_index.cli.progress import Stages
from idia_index.cli.terminal import say
from idia_index.errors import IdiaIndexError
from idia_index.index import open_index
from idia_index.replay import read_report, replay

SHOWN = 5


@click.command(
    epilog="\b\nExamples:\n"
    "  idia-index replay report/report.json\n"
    "  idia-index replay report/ --index copy-of-people.idia"
)
@click.argument("report", type=DIRECTORY)
@click.option(
    "--index",
    "index_path",
    type=DIRECTORY,
    help="The index, if it is no longer where the report says.",
)
@override_options
@json_option
@progress_option
def command(
    report: Path,
    index_path: Path | None,
    backend: str | None,
    model: str | None,
    device: str | None,
    as_json: bool,
    show_progress: bool | None,
) -> None:
    """Recompute every decision of REPORT, and say whether it holds.

    REPORT is a report.json of evaluate --out or audit --out. Images and index must be those it
    was made from: their hashes are compared. Exits with 1 if a decision does not hold.
    """
    recorded = read_report(report)
    opened = open_index(index_path or Path(recorded.data["index"]["path"]))
    with Stages(show_progress) as progress:
        found = replay(recorded, opened, backend_of(opened, backend, model, device), progress)
    if as_json:
        write_json(found)
    else:
        say(_text(found))
    if not found["holds"]:
        raise IdiaIndexError(f"{recorded.path}: does not hold; see above what differs")


def _text(found: dict[str, Any]) -> str:
    verdict = "holds, bit for bit in every vote" if found["exact"] else "holds"
    rows = {
        "report": verdict if found["holds"] else "does NOT hold",
        "decisions": _count(found["decisions_differ"], found["subjects"]),
        "votes": _count(found["votes_differ"], found["subjects"]),
        "p-values": _count(found["p_values_differ"], found["subjects"]),
        "margins": f"differ by {found['largest_margin_difference']:.1e} at most "
        f"(tolerance {found['margin_tolerance']:.0e})",
        "rates": f"differ by {found['largest_rate_difference']:.1e} at most",
    }
    return pairs(rows)


def _count(differing: list[str], subjects: int) -> str:
    if not differing:
        return f"the same for all {subjects} people"
    more = ", ..." if len(differing) > SHOWN else ""
    return f"differ for {len(differing)} of {subjects}: {', '.join(differing[:SHOWN])}{more}"
