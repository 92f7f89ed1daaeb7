"""The rule under control names, from labels alone: how often it would associate another name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from idia_index.evaluation.controls import OfferedTraits, match_controls, name_traits
from idia_index.evaluation.measured import Measured
from idia_index.evaluation.name_tests import offered_names
from idia_index.evaluation.pvalues import rule_wins
from idia_index.search.index import Index
from idia_index.types import Int64

NOT_AVAILABLE = (
    "Not available from labels alone: margins, p-values, PMI, smaller pools of candidates, blind "
    "baselines and everything else that needs similarities. The rule under control names needs "
    "calls of its own (audit --control-names; plan --calls gives the cost)."
)


@dataclass(frozen=True)
class LabelControls:
    """The control names of one subject.

    Attributes:
        wins: int64 [K], prompts that each of them wins by the rule in the true name's place.
        by: what they share with the true name.
    """

    wins: Int64
    by: tuple[str, ...]

    def share(self, tau: int) -> float | None:
        """The share that the rule would associate with the subject's images; None of none."""
        positive: NDArray[np.bool_] = self.wins >= tau
        return float(positive.mean()) if len(positive) else None


def label_controls(
    index: Index, measured: Measured, names: Sequence[str], seed: int
) -> tuple[LabelControls, ...]:
    """The control names of all subjects, among the candidates.

    Args:
        index: the candidates, the subjects' names among them.
        measured: predictions, and the names that are chosen where the true name is left out.
        names: the subjects' names; their words are counted, since tokens are not known.
        seed: of the draw of candidates in a large index.
    """
    offered = offered_names(index, measured.name_ids.tolist(), seed)
    of = [*names, *(index.name(int(place)) for place in offered)]
    traits = [name_traits(name, len(name.split())) for name in of]
    table = OfferedTraits.of(traits[len(names) :])
    found = []
    for person, own in enumerate(traits[: len(names)]):
        match = match_controls(own, table)
        rivals = measured.rivals[:, measured.of(person)]
        found.append(LabelControls(rule_wins(rivals, offered[match.places]), match.by))
    return tuple(found)
