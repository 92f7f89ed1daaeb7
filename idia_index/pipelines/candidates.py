"""Assembles the candidates of an index: listed names and sampled names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from idia_index.errors import InputError
from idia_index.prompts.common_names import (
    PAPER_SEED,
    PAPER_TOP,
    CommonNames,
    CommonSample,
    draw_common,
    packaged_names,
)
from idia_index.prompts.lint import lint_names
from idia_index.prompts.name_lists import read_common_names
from idia_index.prompts.names import FEW_NAMES as FEW_NAMES
from idia_index.prompts.names import make_names
from idia_index.prompts.packed_names import NameList as NameList
from idia_index.prompts.sampling import ORIGINS as ORIGINS
from idia_index.prompts.sampling import sample_names
from idia_index.support.text import shown


@dataclass(frozen=True)
class Drawing:
    """How to sample further candidates.

    Attributes:
        count: number of names.
        seed: None: 42 with `top`, as in the paper, else 0.
        weighted: whether to draw common names more often; not with `top`.
        origin: which of the package's name statistics to use.
        top: pair this many of the most common first names of each sex and surnames, as protocol
            `jair2024` does, every pair equally likely; None: all names of the statistics.
        first_names, surnames: custom lists instead of the package's.
    """

    count: int
    seed: int | None = None
    weighted: bool = False
    origin: str = "us"
    top: int | None = None
    first_names: Path | None = None
    surnames: Path | None = None

    def __post_init__(self) -> None:
        if (self.first_names is None) != (self.surnames is None):
            raise InputError("--first-names and --surnames: pass both lists, or neither")
        if self.weighted and self.by_rank:
            raise InputError("--weighted with --top: pairs of the most common names are drawn "
                             "uniformly; omit one")  # fmt: skip

    @property
    def by_rank(self) -> bool:
        """Whether to draw by the paper's rule, only from the most common names."""
        return self.top is not None or self.first_names is not None

    def lists(self) -> CommonNames:
        """The most common names, to be paired."""
        top = PAPER_TOP if self.top is None else self.top
        if self.first_names is None or self.surnames is None:
            return packaged_names(self.origin, top)
        return read_common_names(self.first_names, self.surnames, top)

    def sample(self, people: NameList | None) -> CommonSample:
        """The paper's draw, as many female as male names, in addition to listed people."""
        seed = PAPER_SEED if self.seed is None else self.seed
        return draw_common(self.lists(), self.count // 2, seed, people=people or ())


def all_candidates(
    listed: NameList | None, drawing: Drawing | None
) -> tuple[NameList, Mapping[str, Any] | None]:
    """The listed and sampled candidates (at least one of them), and how to repeat the sampling.

    Raises:
        InputError: not enough names can be drawn.
    """
    if drawing is None:
        assert listed is not None
        return listed, None
    names, recipe = _drawn(listed, drawing)
    if listed is None:
        return make_names(names, "sampled names"), recipe
    return make_names([*listed, *names], f"{listed.source} and sampled names"), recipe


def findings(names: NameList) -> list[str]:
    """Oddities of names, one line each, with their location."""
    return [
        f"{found.place}: {shown(found.value)} {found.message}" if found.place else found.message
        for found in lint_names(names)
    ]


def _drawn(listed: NameList | None, drawing: Drawing) -> tuple[list[str], Mapping[str, Any]]:
    if drawing.by_rank:
        if drawing.count % 2:
            raise InputError(
                f"--sample-names {drawing.count} with --top or lists of common names: half are "
                "female and half male; pass an even number"
            )
        common = drawing.sample(listed)
        return list(common.names), common.recipe
    drawn = sample_names(
        drawing.count, drawing.seed or 0, weighted=drawing.weighted, origin=drawing.origin,
        exclude=listed or (),
    )  # fmt: skip
    return drawn.names(), drawn.recipe()
