"""Chooses the candidates of a study: by the paper's rule, or tested people and drawn names."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from idia_index.pipelines.studies.definition import Study
from idia_index.prompts.common_names import draw_common, fill_count
from idia_index.prompts.names import each_once
from idia_index.prompts.sampling import sample_names


@dataclass(frozen=True)
class Pool:
    """The candidates.

    Attributes:
        names: all names, the people's first.
        people: how many of them are people's.
        recipe: how to repeat the draw of the others.
        told: what was done, in sentences.
    """

    names: tuple[str, ...]
    people: int
    recipe: Mapping[str, Any]
    told: tuple[str, ...]

    @property
    def lines(self) -> bytes:
        """The names as the content of candidates.txt."""
        return "".join(f"{name}\n" for name in self.names).encode("utf-8")

    @property
    def sha256(self) -> str:
        """Of `lines`."""
        return hashlib.sha256(self.lines).hexdigest()


def paper_pool(study: Study, others: Sequence[str] = ()) -> Pool:
    """Protocol `jair2024`'s candidates.

    Everyone in the study and everyone else with photos in the folders, tested or not; then
    int((total - people) / 2) pairs of each sex of the most common names.

    Args:
        others: further people with photos.
    """
    people = each_once([*study.competitors, *others])
    rule = study.rule
    lists = rule.drawing.lists()
    each = fill_count(rule.total, len(people))
    seed = rule.drawing.seed or 0
    drawn = draw_common(lists, each, seed, people=people)
    told = [
        f"Candidates by the paper's rule: {len(people):,} people, tested or not, and "
        f"{len(drawn.drawn):,} names drawn, {each} of each sex, from the {rule.drawing.top:,} most "
        f"common first names of the sex and surnames (seed {seed})."
    ]
    if drawn.repeated:
        told.append(
            f"{len(drawn.repeated)} of the drawn names were already candidates and count once: "
            f"{', '.join(drawn.repeated)}."
        )
    if rule.drawing.first_names is None:
        told += rule.differs
    return Pool((*people, *drawn.names), len(people), drawn.recipe, tuple(told))


def pool_of_tested(study: Study, tested: Sequence[str]) -> Pool:
    """Only people under test, and names drawn from all of the package's statistics."""
    people = each_once(tested)
    others = max(study.rule.total - len(people), 0)
    told = (
        f"Candidates are the {len(people):,} people under test and {others:,} names drawn from all "
        "names of the package's statistics. This differs from the paper's rule, by which everyone "
        "with photos competes and only common names are drawn.",
    )
    if not others:
        return Pool(tuple(people), len(people), {}, told)
    origin, seed = study.rule.drawing.origin, study.settings.seed
    drawn = sample_names(others, seed, origin=origin, exclude=people)
    return Pool((*people, *drawn.names()), len(people), drawn.recipe(), told)
