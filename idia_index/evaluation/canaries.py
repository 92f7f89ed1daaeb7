"""Scores and coins of canaries -> guesses, their accuracy, and what they prove of epsilon.

The guesses are made from the scores alone: the highest are guessed in, and in one plan the lower
half out. The plans are fixed before any coin is seen, so that the largest of their bounds holds
where each is taken at its share of the error (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from idia_index.errors import InputError
from idia_index.evaluation.auc import auc, auc_interval
from idia_index.evaluation.epsilon import Guesses, epsilon_lower_bound, tail
from idia_index.evaluation.gaussian import mu_lower_bound
from idia_index.evaluation.measured import Float64
from idia_index.evaluation.records.rates import Interval, Share, share
from idia_index.support.intervals import Rate
from idia_index.types import Int64

SHARES = (0.05, 0.1, 0.25, 0.5)
"""Shares of the canaries that are guessed in, each a plan; the last plan guesses all."""

Coins = NDArray[np.bool_]


@dataclass(frozen=True)
class GuessPlan:
    """One plan of guessing, fixed before the assignment was opened.

    Attributes:
        guessed_in: canaries with the highest scores, guessed to be in the training data.
        guessed_out: canaries with the lowest, guessed not to be; the others are not guessed.
        accuracy: right guesses of all.
        chance_p: probability of so many right guesses or more by tosses of a coin; exact.
        tpr: of the canaries put in, those guessed in.
        fpr: of the canaries left out, those guessed in.
        confidence: at which the bound is taken.
        epsilon_lower_bound: what the guesses refute.
    """

    guessed_in: int
    guessed_out: int
    accuracy: Share
    chance_p: float
    tpr: Share
    fpr: Share
    confidence: float
    epsilon_lower_bound: float


@dataclass(frozen=True)
class Separation:
    """How far scores tell the canaries put in from those left out.

    Attributes:
        images: training images of each of these canaries; null of all together.
        canaries: how many they are.
        included: how many were put in.
        tpr: of those put in, whom the rule associates.
        fpr: of those left out, whom it does.
        auc: of the score, ties counted half; null where all or none were put in.
        auc_ci95: its interval (Newcombe's method 5).
        epsilon_lower_bound: of these canaries alone, at the confidence of the audit; the bounds of
            several numbers of images do not hold together at that confidence.
    """

    images: int | None
    canaries: int
    included: int
    tpr: Share
    fpr: Share
    auc: float | None
    auc_ci95: Interval | None
    epsilon_lower_bound: float


def guess_counts(canaries: int, fixed: tuple[int, int] | None) -> list[tuple[int, int]]:
    """How many are guessed in and out by each plan, at least one in all.

    Args:
        canaries: how many there are.
        fixed: the one plan that was chosen before the audit; None: those of `SHARES`, and all.

    Raises:
        InputError: the plan guesses more canaries than there are, or none.
    """
    if fixed is not None:
        if min(fixed) < 0 or not 0 < sum(fixed) <= canaries:
            raise InputError(
                f"--guesses {fixed[0]},{fixed[1]}: there are {canaries} canaries; guess one to "
                "all of them"
            )
        return [fixed]
    half = canaries // 2
    top = {(max(round(part * canaries), 1), 0) for part in SHARES}
    return [*sorted(top), (canaries - half, half)]


def guess(
    scores: Float64, coins: Coins, plans: Sequence[tuple[int, int]], delta: float, confidence: float
) -> tuple[GuessPlan, ...]:
    """What each plan's guesses are worth.

    Args:
        scores: float64 [N], higher for what looks trained on; equal scores in the order given.
        coins: bool [N], who was put in.
        plans: how many are guessed in and out.
        delta: of the bound.
        confidence: of the largest of all bounds.
    """
    order = np.argsort(-scores, kind="stable")
    each = 1 - (1 - confidence) / len(plans)
    return tuple(_plan(coins[order], into, out, delta, each) for into, out in plans)


def _plan(coins: Coins, into: int, out: int, delta: float, confidence: float) -> GuessPlan:
    hits = int(coins[:into].sum())
    right = hits + int((~coins[len(coins) - out :]).sum() if out else 0)
    made, included = into + out, int(coins.sum())
    return GuessPlan(
        guessed_in=into,
        guessed_out=out,
        accuracy=share(Rate(right, made)),
        chance_p=tail(made, right, 0.5),
        tpr=share(Rate(hits, included)),
        fpr=share(Rate(into - hits, len(coins) - included)),
        confidence=confidence,
        epsilon_lower_bound=epsilon_lower_bound(
            Guesses(len(coins), made, right), delta, confidence
        ),
    )


def best_bound(plans: Sequence[GuessPlan]) -> float:
    """The largest bound of all plans, which holds at the confidence of all together."""
    return max(plan.epsilon_lower_bound for plan in plans)


def best_mu(canaries: int, plans: Sequence[GuessPlan]) -> float:
    """The same of the mu of Gaussian differential privacy."""
    return max(
        mu_lower_bound(Guesses(canaries, p.accuracy.total, p.accuracy.hits), p.confidence)
        for p in plans
    )


def separation(
    scores: Float64,
    associated: NDArray[np.bool_],
    coins: Coins,
    images: int | None,
    level: tuple[float, float],
) -> Separation:
    """How far the scores of some canaries tell who was put in.

    Args:
        scores, associated, coins: of these canaries, [n].
        images: training images of each; None of all together.
        level: delta and confidence of the bound.
    """
    inside, outside = scores[coins], scores[~coins]
    both = len(inside) > 0 and len(outside) > 0
    area = auc(inside, outside) if both else None
    plans = guess(scores, coins, guess_counts(len(coins), None), *level)
    return Separation(
        images=images,
        canaries=len(coins),
        included=len(inside),
        tpr=share(Rate(int(associated[coins].sum()), len(inside))),
        fpr=share(Rate(int(associated[~coins].sum()), len(outside))),
        auc=area,
        auc_ci95=None if area is None else auc_interval(area, len(inside), len(outside)),
        epsilon_lower_bound=best_bound(plans),
    )


def by_images(
    scores: Float64,
    associated: NDArray[np.bool_],
    coins: Coins,
    images: Int64,
    level: tuple[float, float],
) -> tuple[Separation, ...]:
    """The same for each number of training images, ascending; arrays [N]."""
    return tuple(
        separation(scores[own], associated[own], coins[own], number, level)
        for number in np.unique(images).tolist()
        for own in [images == number]
    )
