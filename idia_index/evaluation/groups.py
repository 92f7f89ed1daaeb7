"""Groups of people from one source, all of it in the training data or none: one p-value for each.

Stouffer's combination (Stouffer et al., "The American Soldier", 1949): each person's control-name
p-value becomes a normal score, and the sum of n scores over the root of n is again standard normal
if the model knows nobody of the group. A p-value of 1 would be a score without end; it is taken as
1 - 1 / (2 (K + 1)), in the middle of its step.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from idia_index.evaluation.measured import Float64
from idia_index.evaluation.pvalues import adjusted
from idia_index.types import Int64

LEVEL = 0.01
_NORMAL = NormalDist()


@dataclass(frozen=True)
class GroupTest:
    """A group of people from one source.

    Attributes:
        group: its name.
        people: how many of its people were tested.
        p_value: of the group, from the control-name p-values of its people (Stouffer).
        q_value: the same adjusted for the number of groups (Benjamini-Hochberg).
    """

    group: str
    people: int
    p_value: float
    q_value: float


def normal_scores(p_values: Float64, controls: Int64) -> Float64:
    """Normal scores float64 [P] of p-values (1 + j) / (K + 1), of K controls int64 [P]."""
    capped = np.minimum(p_values, 1 - 1 / (2 * (controls + 1)))
    return np.array([_NORMAL.inv_cdf(1 - p) for p in capped.tolist()])


def combined_p(scores: Float64) -> float:
    """The p-value of independent normal scores float64 [n], at least one."""
    return 1 - _NORMAL.cdf(float(scores.sum()) / math.sqrt(len(scores)))


def group_tests(
    names: Sequence[str], groups: Mapping[str, str], p_values: Float64, controls: Int64
) -> tuple[GroupTest, ...]:
    """A test of each group, the smallest p-value first.

    Args:
        names: of P people; who has no controls says nothing, and is left out.
        groups: the group of each name that is in one.
        p_values: float64 [P], among control names.
        controls: int64 [P], how many those are.
    """
    scores = normal_scores(p_values, controls)
    places: dict[str, list[int]] = defaultdict(list)
    for place, name in enumerate(names):
        if name in groups and controls[place]:
            places[groups[name]].append(place)
    found = [(group, len(here), combined_p(scores[here])) for group, here in places.items()]
    q_values: Sequence[float] = adjusted([p for _, _, p in found]).tolist() if found else []
    tests = [GroupTest(*each, float(q)) for each, q in zip(found, q_values, strict=True)]
    return tuple(sorted(tests, key=lambda test: (test.p_value, test.group)))


def group_power(people: int, mean: float, sd: float, level: float = LEVEL) -> float:
    """The chance that a group of members is found, of normal scores with this mean and sd."""
    needed = _NORMAL.inv_cdf(1 - level)
    return 1 - _NORMAL.cdf((needed - math.sqrt(people) * mean) / sd)
