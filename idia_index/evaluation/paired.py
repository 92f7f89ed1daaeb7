"""The same people before and after: paired differences of rates and of scores, with intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from idia_index.evaluation.draws import resamples
from idia_index.evaluation.epsilon import tail
from idia_index.support.intervals import clopper_pearson, student_quantile

RESAMPLES = 2000

Interval = tuple[float, float]


@dataclass(frozen=True)
class PairedChange:
    """How many people changed their answer.

    Attributes:
        people: how many there are.
        lost: yes before and no after.
        gained: no before and yes after.
    """

    people: int
    lost: int
    gained: int

    @property
    def difference(self) -> float:
        """The rate after minus the rate before."""
        return (self.gained - self.lost) / self.people

    @property
    def p_value(self) -> float:
        """McNemar's exact test, two-sided: whether as many are lost as gained."""
        changed = self.lost + self.gained
        return min(2 * tail(changed, max(self.lost, self.gained), 0.5), 1.0)

    def interval(self, confidence: float = 0.95) -> Interval:
        """An interval of the difference that covers it at least as often as it says.

        The shares lost and gained each have their exact interval (Clopper-Pearson) at half of the
        error, and their difference can only be as far out as both together.
        """
        each = 1 - (1 - confidence) / 2
        lost = clopper_pearson(self.lost, self.people, each)
        gained = clopper_pearson(self.gained, self.people, each)
        return gained[0] - lost[1], gained[1] - lost[0]

    def equivalent(self, margin: float) -> bool:
        """Whether two one-sided tests at 5% each say that the difference is within a margin."""
        low, high = self.interval(0.90)
        return -margin < low and high < margin


def bootstrap_interval(values: ArrayLike, seed: int, confidence: float = 0.95) -> Interval:
    """An interval of the mean of people's values.

    The studentised bootstrap over people (Efron & Tibshirani, 1993, chapter 12), never narrower
    than Student's interval: the percentile bootstrap is too narrow for tens of people.

    Args:
        values: float [n], finite; two people at least, or the interval has no end.
        seed: of the samples.
        confidence: inside (0, 1).
    """
    own = np.asarray(values, np.float64)
    if len(own) < 2:
        return -math.inf, math.inf
    mean, error = own.mean(), own.std(ddof=1) / math.sqrt(len(own))
    if error == 0:
        return float(mean), float(mean)
    counts = resamples(seed, len(own), RESAMPLES).astype(np.float64)
    apart = own - mean  # sums of squares of small numbers
    means = counts @ apart / len(own)
    squares = counts @ apart**2 / len(own) - means**2
    errors = np.sqrt(np.maximum(squares, 0) / (len(own) - 1))
    told = errors > 1e-12 * error  # a sample of one person alone has no error
    level = (1 - confidence) / 2
    t = student_quantile(len(own) - 1, level)
    below, above = np.quantile(means[told] / errors[told], [level, 1 - level])
    return float(mean - max(above, t) * error), float(mean - min(below, -t) * error)
