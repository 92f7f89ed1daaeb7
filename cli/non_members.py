"""`idia-index non-members`."""

from __future__ import annotations

from pathlib import Path

import click

from idia_index.cli.options import DIRECTORY, json_option, write_json
from idia_index.cli.terminal import note, say
from idia_index.pipelines.non_members import (
    ORIGINS,
    PROPOSED,
    NonMembers,
    draw_non_members,
    propose_names,
)
from idia_index.support.columns import pairs
from idia_index.support.files import write_whole
from idia_index.support.text import shown_path


@click.command(
    "non-members",
    epilog="\b\nExamples:\n"
    "  idia-index non-members members/members.csv --n 300 --out non_members.txt\n"
    "  idia-index non-members members/members.csv --n 300 --propose more_names.txt",
)
@click.argument("table", type=DIRECTORY, metavar="MEMBERS.CSV")
@click.option(
    "--like",
    type=click.Choice(["members"]),
    default="members",
    show_default=True,
    help="Whose names they should resemble.",
)
@click.option(
    "--n", type=click.IntRange(1), default=300, show_default=True, help="Number of names to draw."
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed for drawing names."
)
@click.option(
    "--origin",
    type=click.Choice(ORIGINS),
    default="us",
    show_default=True,
    help="Country whose statistics give the sex of a first name and the frequency of its parts.",
)
@click.option(
    "--out", type=DIRECTORY, metavar="FILE", help="Write the names to this file, one per line."
)
@click.option(
    "--propose",
    type=DIRECTORY,
    metavar="FILE",
    help=f"Write {PROPOSED} x n further names to this file instead, to look up in the captions.",
)
@json_option
def command(
    table: Path,
    like: str,
    n: int,
    seed: int,
    origin: str,
    out: Path | None,
    propose: Path | None,
    as_json: bool,
) -> None:
    """Draw names that appear in no caption but resemble those of the members in MEMBERS.CSV.

    Names are drawn from its non-members and match the members in sex, number of words, length and
    the frequency of their parts.
    """
    if propose is not None:
        names = propose_names(table, n, seed, origin)
        write_whole(propose, ("\n".join(names) + "\n").encode("utf-8"))
        say(f"{len(names):,} names to search for: {shown_path(propose)}")
        return
    drawn = draw_non_members(table, n, seed, origin)
    if out is not None:
        write_whole(out, ("\n".join(drawn.names) + "\n").encode("utf-8"))
    if not drawn.well_matched:
        note("poor match: the name alone may distinguish members from non-members")
    if as_json:
        write_json(drawn)
        return
    if out is None:
        say("\n".join(drawn.names))
    say(_told(drawn), err=out is None)


def _told(drawn: NonMembers) -> str:
    lines = {
        feature: f"{each.members:.2f} of members, {each.drawn:.2f} of those drawn; "
        f"AUC {each.auc:.3f}"
        for feature, each in drawn.features.items()
    }
    share = drawn.female_share
    if share.members is not None and share.drawn is not None:
        lines["female"] = f"{share.members:.0%} of members, {share.drawn:.0%} of those drawn"
    lines["match"] = "good" if drawn.well_matched else "poor: see the AUCs above 0.6 or below 0.4"
    return pairs(lines)
