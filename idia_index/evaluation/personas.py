"""P-values of planted personas, which rest on the draw of each name alone.

Before publication each persona's name is drawn from K + 1 names, all equally likely. If the model
saw nothing of the persona, the drawn name is as likely as not to be any of them, whatever the model
prefers: its rank among the K + 1 is uniform, and p = rank / (K + 1) is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

from idia_index.evaluation.measured import Float64

MOST_PERSONAS, MOST_NAMES = 1000, 999
"""Maximum number of personas, and of alternative names of each."""


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


def persona_power(people: int, names: int, score: tuple[float, float], level: float) -> float:
    """The chance that the sum of ranks of personas that a model knows gives a p of at most `level`.

    Args:
        people: personas, all of them known.
        names: K + 1, names of each.
        score: mean and standard deviation of the normal score of a persona's p.
        level: of the test.
    """
    # By Fourier transform the sum of a thousand ranks takes no longer than that of two.
    size = people * (names - 1) + 1
    length = 1 << size.bit_length()

    def sums(chances: Float64) -> Float64:
        out: Float64 = np.fft.irfft(np.fft.rfft(chances, length) ** people, length)[:size]
        return out.cumsum()

    rare = np.flatnonzero(sums(np.full(names, 1 / names)) <= level)
    if not len(rare):
        return 0.0
    normal = NormalDist()
    reached = [
        normal.cdf((score[0] - normal.inv_cdf(1 - rank / names)) / score[1])
        for rank in range(1, names)
    ]
    return float(sums(np.diff([0.0, *reached, 1.0]))[rare[-1]])
