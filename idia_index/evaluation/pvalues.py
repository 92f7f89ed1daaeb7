"""A p-value for one person without ground truth: the true name among matched control names.

If the model does not know the person, the true name is as good as any control name for these
images: the names are exchangeable, and the rank of the true name is uniform. Then

    p = (1 + controls that score at least as high) / (K + 1)

is valid for any K (Phipson & Smyth, 2010); over several subjects the false discovery rate is held
by Benjamini & Hochberg (1995), or, however the subjects depend on each other, by the e-values of
the same ranks (Wang & Ramdas, "False discovery rate control with e-values", 2022).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idia_index.evaluation.counting import correct_templates
from idia_index.evaluation.measured import Float64
from idia_index.support.intervals import binomial
from idia_index.types import Int64

FDR = 0.05
"""False discovery rate of who stands out."""

SMALL = 0.05


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


def e_values(p_values: ArrayLike, controls: Int64) -> Float64:
    """E-values float64 [n] of p-values [n] among K control names, int64 [n].

    A name that does not stand out has each rank of K + 1 equally likely, so that 1 / (p H), with
    H the sum of 1 / j up to K + 1, has mean one: the evidence against it as a fair bet pays. It
    is the calibrator that gives small p-values the most.
    """
    largest = int(controls.max(initial=0)) + 1
    harmonic = np.cumsum(1 / np.arange(1, largest + 1))
    out: Float64 = 1 / (np.asarray(p_values, np.float64) * harmonic[controls])
    return out


def e_bh(values: Float64, rate: float) -> NDArray[np.bool_]:
    """Which e-values [n] pass at a false discovery rate under any dependence, bool [n].

    Those of at least n / (rate k) for the largest k for which there are k of them.
    """
    return passing(adjusted(1 / values), rate)


def passing(adjusted_p_values: Float64, rate: float) -> NDArray[np.bool_]:
    """Which adjusted p-values [n] pass at a false discovery rate, bool [n]."""
    # 1 / 20 * 3 / 3 is above 0.05 by rounding alone.
    return adjusted_p_values <= rate * (1 + 1e-12)


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


def expected_small(controls: Int64) -> float:
    """How many p-values are at most `SMALL` if no name stands out, of K controls int64 [n]."""
    return float(_chances(controls).sum())


def excess_of_small(p_values: ArrayLike, controls: Int64) -> float:
    """The probability of at least as many p-values at most `SMALL`, if no name stands out.

    Exact for independent subjects. Only too many small p-values count: too few mislead nobody.

    Args:
        p_values: [n], each (1 + j) / (K + 1).
        controls: int64 [n], K of each subject.
    """
    chances, people = np.unique(_chances(controls), return_counts=True)
    counts = np.ones(1)
    for chance, group in zip(chances.tolist(), people.tolist(), strict=True):
        counts = np.convolve(counts, binomial(group, chance))
    seen = np.count_nonzero(np.asarray(p_values, np.float64) <= SMALL * (1 + 1e-12))
    return float(min(counts[seen:].sum(), 1.0))


def _chances(controls: Int64) -> Float64:
    """P(p <= `SMALL`): with K controls p is uniform on the multiples of 1 / (K + 1)."""
    sizes = controls + 1
    # 0.05 * 20 is below 1 by rounding alone.
    out: Float64 = np.floor(SMALL * sizes * (1 + 1e-12)) / sizes
    return out
