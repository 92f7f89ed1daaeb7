"""A p-value for one person without ground truth: the true name among matched control names.

If the model does not know the person, the true name is as good as any control name for these
images: the names are exchangeable, and the rank of the true name is uniform. Then

    p = (1 + controls that score at least as high) / (K + 1)

is valid for any K (Phipson & Smyth, 2010); over several subjects the false discovery rate is held
by Benjamini & Hochberg (1995).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idia_index.evaluation.counting import correct_templates
from idia_index.evaluation.measured import Float64
from idia_index.records import Int64

REFERENCE = 20
"""Other people needed to say how much a name attracts images of anybody."""


def p_value(score: float, controls: ArrayLike) -> float:
    """(1 + controls >= score) / (K + 1) for control scores [K]."""
    values = np.asarray(controls, np.float64)
    return float((1 + np.count_nonzero(values >= score)) / (len(values) + 1))


def adjusted(p_values: ArrayLike) -> Float64:
    """Benjamini-Hochberg adjusted p-values float64 [n], in the order given.

    Rejecting those of at most q holds the false discovery rate at q where the p-values are
    independent or positively dependent.
    """
    values = np.asarray(p_values, np.float64)
    order = np.argsort(values, kind="stable")
    scaled = values[order] * len(values) / np.arange(1, len(values) + 1)
    out = np.empty(len(values))
    out[order] = np.minimum.accumulate(scaled[::-1])[::-1].clip(max=1)
    return out


def passing(adjusted_p_values: Float64, rate: float) -> NDArray[np.bool_]:
    """Which adjusted p-values [n] pass at a false discovery rate, bool [n]."""
    # 1 / 20 * 3 / 3 is above 0.05 by rounding alone.
    return adjusted_p_values <= rate * (1 + 1e-12)


@dataclass(frozen=True)
class NameScores:
    """How close each subject's images are to each name.

    Attributes:
        values: float64 [P, U], for P subjects and U names.
        calibrated: whether a name's attraction of other people's images was taken out.
    """

    values: Float64
    calibrated: bool


def score_names(similarities: Float64) -> NameScores:
    """Scores that let a name be compared with others, whatever images it attracts in general.

    Some names are close to every face, or vary more than others. So a name's similarity to one
    subject's images is standardised by mean and deviation of its similarities to the other
    subjects' images. This takes `REFERENCE` other subjects; with fewer, similarities stay raw.

    Args:
        similarities: float64 [P, U], mean cosine similarity over templates and images.
    """
    others = len(similarities) - 1
    if others < REFERENCE:
        return NameScores(similarities, False)
    # Centred first: sums of squares of numbers that are all near 0.2 would cancel.
    centred = similarities - similarities.mean(axis=0)
    mean = -centred / others
    square = ((centred**2).sum(axis=0) - centred**2) / others
    deviation = np.sqrt(np.maximum(square - mean**2, 1e-18))
    return NameScores((centred - mean) / deviation, True)


def rule_wins(rivals: Int64, controls: Int64) -> Int64:
    """Prompts that each control name would win by the rule in place of the true name.

    Args:
        rivals: name ids int64 [T, n], the most similar candidate but the true name for each of
            a subject's images.
        controls: ids int64 [K] of candidates.

    Returns:
        int64 [K].
    """
    everything = np.ones((1, rivals.shape[1]), np.bool_)
    wins = np.zeros(len(controls), np.int64)
    # Only names that are predicted at all can win.
    for place in np.flatnonzero(np.isin(controls, rivals)):
        wins[place] = correct_templates(rivals, int(controls[place]), everything).sum()
    return wins


def uniform_distance(p_values: ArrayLike) -> tuple[float, float]:
    """Kolmogorov-Smirnov distance of p-values from the uniform, and its p-value (Marsaglia's tail).

    Args:
        p_values: at least one, each in [0, 1].

    Returns:
        the distance, and the asymptotic p-value with Stephens' correction for small n.
    """
    values: NDArray[np.float64] = np.sort(np.asarray(p_values, np.float64))
    count = len(values)
    steps = np.arange(count + 1) / count
    distance = float(max((steps[1:] - values).max(), (values - steps[:-1]).max()))
    root = np.sqrt(count)
    x = (root + 0.12 + 0.11 / root) * distance
    terms = np.arange(1, 101)
    tail = float(2 * ((-1.0) ** (terms - 1) * np.exp(-2 * terms**2 * x**2)).sum())
    return distance, min(max(tail, 0.0), 1.0) if x > 0.2 else 1.0
