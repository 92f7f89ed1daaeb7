"""Scores of members and non-members -> likelihood ratios, and what these are worth.

Pool adjacent violators (PAV): the ascending share of members among all that fits the scores best;
its odds over the odds of all are likelihood ratios. One member and one non-member that nobody saw
stand beyond either end (Laplace's rule of succession, as in Brummer & de Villiers, "The BOSARIS
toolkit", 2011), so that no ratio is 0 or infinite, nor larger than the people at hand support: not
above (non-members + 2) times the share of members beyond all non-members, nor below the reverse.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from idia_index.evaluation.draws import shuffled
from idia_index.evaluation.measured import Float64

FOLDS = 10


@dataclass(frozen=True)
class Calibrator:
    """Likelihood ratios by score.

    Attributes:
        scores: float64 [u], those that were seen, ascending, each once.
        log_ratios: float64 [u], the natural logarithm of each one's likelihood ratio, ascending.
    """

    scores: Float64
    log_ratios: Float64

    def log_ratio(self, scores: Float64) -> Float64:
        """Of other scores [n]: between two the straight line, beyond all that of the nearest."""
        out: Float64 = np.interp(scores, self.scores, self.log_ratios)
        return out

    def ratio(self, score: float) -> float:
        """The likelihood ratio of one score."""
        return float(np.exp(self.log_ratio(np.array([score])))[0])


def monotone(values: Float64, weights: Float64) -> Float64:
    """The ascending float64 [n] nearest to values [n] by weighted squares (PAV)."""
    means: list[float] = []
    sizes: list[float] = []
    runs: list[int] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        run = 1
        while means and means[-1] >= value:
            total = sizes[-1] + weight
            value = (means.pop() * sizes[-1] + value * weight) / total
            sizes.pop()
            run, weight = run + runs.pop(), total
        means.append(value)
        sizes.append(weight)
        runs.append(run)
    return np.repeat(np.array(means), runs)


def calibrate(members: Float64, others: Float64) -> Calibrator:
    """Likelihood ratios of scores float64 [m] of members and [n] of non-members, one at least."""
    return _fitted(members, others, unseen=1)


def _fitted(members: Float64, others: Float64, unseen: int) -> Calibrator:
    """With so many people of either group, whom nobody saw, beyond either end."""
    scores, place = np.unique(np.concatenate((members, others)), return_inverse=True)
    ends = np.full((1, 2), float(unseen))
    counts = np.zeros((len(scores), 2))
    np.add.at(counts, (place, (np.arange(len(place)) >= len(members)).astype(int)), 1)
    counts = np.vstack((ends, counts, ends)) if unseen else counts
    total = counts.sum(axis=1)
    share = monotone(counts[:, 0] / total, total)
    if unseen:
        share = share[1:-1]
    with np.errstate(divide="ignore"):
        log_odds = np.log(share) - np.log1p(-share)
    prior = (len(members) + 2 * unseen) / (len(others) + 2 * unseen)
    return Calibrator(scores, log_odds - np.log(prior))


def cllr(members: Float64, others: Float64) -> float:
    """The cost of log likelihood ratios float64 [m] of members and [n] of non-members, in bits.

    Brummer & du Preez, "Application-independent evaluation of speaker detection", Computer Speech
    and Language 20, 2006: 0 is perfect, 1 says nothing, above 1 misleads.
    """
    costs = np.logaddexp(0, -members).mean() + np.logaddexp(0, others).mean()
    return float(costs / (2 * np.log(2)))


def minimum_cllr(members: Float64, others: Float64) -> float:
    """The cost of scores float64 [m] and [n] after the best ascending map: what they can tell."""
    best = _fitted(members, others, unseen=0)
    at = (np.searchsorted(best.scores, group) for group in (members, others))
    return cllr(*(best.log_ratios[places] for places in at))


def cross_fitted(members: Float64, others: Float64, seed: int) -> tuple[Float64, Float64]:
    """Log likelihood ratios float64 [m] and [n], each calibrated on the other folds' people.

    Args:
        members, others: scores, at least `FOLDS` each.
        seed: of the folds, which are stratified.
    """
    groups = members, others
    folds = []
    for word, group in enumerate(groups):
        fold = np.empty(len(group), np.int64)
        fold[shuffled(seed, len(group), 0xCA1B, word)] = np.arange(len(group)) % FOLDS
        folds.append(fold)
    out = np.empty(len(members)), np.empty(len(others))
    for number in range(FOLDS):
        fitted = calibrate(*(g[f != number] for g, f in zip(groups, folds, strict=True)))
        for group, fold, ratios in zip(groups, folds, out, strict=True):
            ratios[fold == number] = fitted.log_ratio(group[fold == number])
    return out
