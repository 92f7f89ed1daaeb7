"""A lower bound on epsilon from guesses about canaries, of one training run.

Steinke, Nasr and Jagielski, "Privacy Auditing with One (1) Training Run" (arXiv 2305.08846),
theorem 5.2: each of m canaries is put in by its own fair coin; whoever sees the model guesses r of
the coins and abstains from the others. If training is (epsilon, delta)-differentially private in
each canary, the number of right guesses exceeds Binomial(r, e^epsilon / (1 + e^epsilon)) only as
far as delta allows. So many right guesses refute every epsilon under a bound.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from idia_index.errors import InputError
from idia_index.support.intervals import binomial, fewest, incomplete_beta, last_below

HALVINGS = 45
MOST_EPSILON = 700.0  # e**epsilon is a float up to here
MOST_PLANNED = 30
MOST_CANARIES = 1_000_000


@dataclass(frozen=True)
class Guesses:
    """Guesses about canaries.

    Attributes:
        canaries: m, how many canaries there are.
        made: r, how many of them were guessed.
        right: v, how many guesses were right.
    """

    canaries: int
    made: int
    right: int

    def __post_init__(self) -> None:
        if not 0 <= self.right <= self.made <= self.canaries or self.canaries < 1:
            raise InputError(
                f"{self.right} right of {self.made} guesses about {self.canaries} canaries: give "
                "0 <= right <= guesses <= canaries"
            )


def tail(guesses: int, right: int, chance: float) -> float:
    """P(at least `right` of so many guesses are right), each with the same chance."""
    if right <= 0:
        return 1.0
    return incomplete_beta(right, guesses - right + 1, chance)


def p_value_of(guesses: Guesses, epsilon: float, delta: float = 0.0) -> float:
    """How probable so many right guesses are at most, if (epsilon, delta) held."""
    made, right = guesses.made, guesses.right
    chance = 1 / (1 + math.exp(-epsilon))
    p = tail(made, right, chance)
    if delta > 0 and right:
        below = binomial(made, chance)[:right][::-1]
        p += 2 * guesses.canaries * delta * float((below.cumsum() / np.arange(1, right + 1)).max())
    return min(p, 1.0)


def epsilon_lower_bound(guesses: Guesses, delta: float = 0.0, confidence: float = 0.95) -> float:
    """The largest epsilon that the guesses refute; 0 where they refute none.

    490 right of 495 guesses give 3.84 at 95 % and delta 0.

    Raises:
        InputError: delta or the confidence is out of range.
    """
    check_level(delta, confidence)
    level = 1 - confidence
    return largest_refuted(lambda epsilon: p_value_of(guesses, epsilon, delta) <= level)


def check_level(delta: float, confidence: float) -> None:
    """Raises InputError for a delta or a confidence that is out of range."""
    if not 0 <= delta < 1 or not 0 < confidence < 1:
        raise InputError(
            f"delta {delta:g}, confidence {confidence:g}: delta is 0 or more and below 1, the "
            "confidence between 0 and 1"
        )


def largest_refuted(refuted: Callable[[float], bool], most: float = MOST_EPSILON) -> float:
    """Where a refutation ends that holds from 0 up to some value; 0 where it never holds."""
    low, high = 0.0, 1.0
    if not refuted(low):
        return 0.0
    while high < most and refuted(high):
        low, high = high, 2 * high
    return last_below(refuted, low, high, HALVINGS)[0]


def check_canaries(epsilon: float | None, delta: float, accuracy: float, share: float) -> None:
    """Raises InputError for arguments of `canaries_needed` that are out of range."""
    if epsilon is not None and not 0 < epsilon <= MOST_PLANNED:
        raise InputError(f"--canaries {epsilon:g}: give a bound between 0 and {MOST_PLANNED}")
    for option, value in (("--guess-accuracy", accuracy), ("--guess-share", share)):
        if not 0 < value <= 1:
            raise InputError(f"{option} {value:g}: give a share above 0 and at most 1")
    if not 0 <= delta < 1:
        raise InputError(f"--delta {delta:g}: give 0 or more and below 1")


def canaries_needed(
    epsilon: float, accuracy: float, share: float, delta: float = 0.0, confidence: float = 0.95
) -> int | None:
    """Fewest canaries that give a bound of at least `epsilon` in 80 % of audits.

    Args:
        epsilon: the bound that is wanted.
        accuracy: how often a guess is right.
        share: of the canaries that are guessed.
        delta: of the bound.
        confidence: of the bound.

    Returns:
        None where no number up to `MOST_CANARIES` does: an accuracy of e^epsilon / (1 + e^epsilon)
        or less never does.
    """
    if accuracy <= 1 / (1 + math.exp(-epsilon)):
        return None

    def enough(canaries: int) -> bool:
        made = int(share * canaries)
        # The number of right guesses that four of five audits reach.
        right = _reached(made, accuracy, 0.8)
        return made > 0 and (
            p_value_of(Guesses(canaries, made, right), epsilon, delta) <= 1 - confidence
        )

    found = fewest(enough, 0, 1, MOST_CANARIES)
    return found if found <= MOST_CANARIES else None


def _reached(made: int, accuracy: float, power: float) -> int:
    """The largest number of right guesses that is reached with probability `power`."""
    return bisect_right(range(made + 1), -power, key=lambda n: -tail(made, n, accuracy)) - 1
