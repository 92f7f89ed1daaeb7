"""A p-value for one person without ground truth: the true name among matched control names.

If the model does not know the person, the true name is as good as any control name for these
images: the names are exchangeable, and the rank of the true name is uniform. Then

    p = (1 + controls that score at least as high) / (K + 1)

is valid for any K (Phipson & Smyth, 2010); over several subjects the false discovery rate is held
by Benjamini & Hochberg (1995).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idia_index.evaluation.counting import correct_templates
from idia_index.evaluation.measured import Float64
from idia_index.types import Int64

REFERENCE = 20
"""Other people needed to say how much a name attracts images of anybody."""

BLOCK = 256
"""Subjects whose scores are held at a time."""


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
    """How close some subjects' images are to their own name and to the names offered.

    Attributes:
        own: float64 [b].
        offered: float64 [b, O].
    """

    own: Float64
    offered: Float64


def is_calibrated(people: int) -> bool:
    """Whether scores of so many subjects are rid of how much a name attracts images of anybody."""
    return people - 1 >= REFERENCE


def score_names(images: Float64, own: Float64, offered: Float64) -> Iterator[NameScores]:
    """Scores that let a name be compared with others, whatever images it attracts in general.

    Some names are close to every face, or vary more than others. So a name's similarity to one
    subject's images is standardised by mean and deviation of its similarities to the other
    subjects' images. Where not `is_calibrated`, similarities stay raw.

    Args:
        images: float64 [P, D], mean image embedding of each subject.
        own: float64 [P, D], mean text embedding of each subject's name.
        offered: float64 [O, D], likewise of other names.

    Yields:
        The subjects in order, `BLOCK` at a time.
    """
    calibrated = is_calibrated(len(images))
    # Centred first: sums of squares of numbers that are all near 0.2 would cancel.
    images = images - images.mean(axis=0) if calibrated else images
    # A name's sum of squares over all subjects, without its similarity to each of them.
    scatter = images.T @ images
    own_square, square = ((texts @ scatter * texts).sum(axis=1) for texts in (own, offered))
    for start in range(0, len(images), BLOCK):
        here = slice(start, start + BLOCK)
        # In one product two names with one embedding hardly ever round differently.
        values = images[here] @ np.concatenate((own[here], offered)).T
        if calibrated:
            squares = np.concatenate((own_square[here], square))
            values = _standardised(values, squares, len(images) - 1)
        many = len(values)
        yield NameScores(values[:, :many].diagonal(), values[:, many:])


def _standardised(centred: Float64, squares: Float64, others: int) -> Float64:
    """Similarities [b, U] less the mean over all, by mean and deviation of the other subjects."""
    mean = -centred / others
    variance = (squares - centred**2) / others - mean**2
    out: Float64 = (centred - mean) / np.sqrt(np.maximum(variance, 1e-18))
    return out


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
