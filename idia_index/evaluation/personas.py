"""P-values of planted personas, which rest on the draw of each name alone.

Before publication each persona's name is drawn from K + 1 names, all equally likely. If the model
saw nothing of the persona, the drawn name is as likely as not to be any of them, whatever the model
prefers: its rank among the K + 1 is uniform, and p = rank / (K + 1) is exact.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from idia_index.evaluation.measured import Float64


def rank_of(scores: Float64, drawn: int) -> int:
    """The rank of the drawn name among scores float64 [K + 1]; 1 is the highest, ties count
    against it."""
    return int(np.count_nonzero(scores >= scores[drawn]))


def p_of_ranks(ranks: Sequence[int], names: int) -> float:
    """The probability of a sum of ranks as small, each uniform on 1 to `names`; exact.

    Args:
        ranks: of each persona, at least one.
        names: K + 1.
    """
    step = np.full(names, 1 / names)
    chances = np.ones(1)  # of each sum, less one for every persona
    for _ in ranks:
        chances = np.convolve(chances, step)
    return float(min(chances[: sum(ranks) - len(ranks) + 1].sum(), 1.0))
