"""Draws names that appear in no caption and resemble the members', from a members.csv."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from idia_index.captions.members_csv import read_members
from idia_index.evaluation.likeness import FeatureLikeness, FemaleShare, draw_alike
from idia_index.prompts.sampling import ORIGINS, load_pool, sample_names

__all__ = ["ORIGINS", "PROPOSED", "NonMembers", "draw_non_members", "propose_names"]

PROPOSED = 20
"""Names to search for per name wanted."""


@dataclass(frozen=True)
class NonMembers:
    """Names that appear in no caption, and how well they match the members.

    Attributes:
        format: name and version of the document's format.
        seed: seed of the draw.
        origin: the statistics used for sex and frequency of name parts.
        like: the names that they resemble.
        names: the drawn names, in drawing order.
        features: each feature of names.
        female_share: of members and drawn names.
        well_matched: whether every feature's area is within 0.4 to 0.6, and the shares of women
            differ by less than 10 %.
    """

    format: Literal["idia-index/non-members/1"]
    seed: int
    origin: str
    like: Literal["members"]
    names: tuple[str, ...]
    features: Mapping[str, FeatureLikeness]
    female_share: FemaleShare
    well_matched: bool


def draw_non_members(table: Path, n: int, seed: int, origin: str) -> NonMembers:
    """Draws n non-members of a members.csv that resemble its members most.

    Raises:
        InputError: the table cannot be read, or has no member or fewer than n non-members.
    """
    pool = load_pool(origin)
    members, others = (
        [each.name for each in read_members(table).values() if each.membership == which]
        for which in ("member", "non_member")
    )
    drawn = draw_alike(members, others, n, seed, pool)
    return NonMembers(
        "idia-index/non-members/1", seed, pool.id, "members",
        drawn.names, drawn.features, drawn.female_share, drawn.well_matched,
    )  # fmt: skip


def propose_names(table: Path, n: int, seed: int, origin: str) -> list[str]:
    """Names to search the captions for: `PROPOSED` for each of n, none of them in the table."""
    known = [each.name for each in read_members(table).values()]
    drawn = sample_names(PROPOSED * n, seed, weighted=True, origin=origin, exclude=known)
    return drawn.names()
