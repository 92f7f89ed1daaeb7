"""The same people before and after: paired differences of rates and of scores, with intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from idia_index.evaluation.draws import resamples
from idia_index.evaluation.epsilon import tail
from idia_index.support.intervals import clopper_pearson, student_quantile

RESAMPLES = 2000
SHARES = 12  # of people who change, between the least and the most that can be
HALVINGS = 25

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

        Each end inverts an exact one-sided test; see `_highest`.
        """
        net, changed = self.gained - self.lost, self.gained + self.lost
        error = (1 - confidence) / 2
        return (
            -_highest(self.people, changed, -net, error),
            _highest(self.people, changed, net, error),
        )

    def equivalent(self, margin: float) -> bool:
        """Whether two one-sided tests at 5% each say that the difference is within a margin."""
        low, high = self.interval(0.90)
        return -margin < low and high < margin


def _highest(people: int, changed: int, net: int, error: float) -> float:
    """The largest difference under which so small a net gain comes in more than `error` of cases.

    The law of the net gain depends on the share of people who change as well. A tenth of the
    error is spent on an upper bound of that share (Clopper-Pearson), and the worst share below it
    counts (Berger & Boos, 1994, JASA 89, 1012-1016).
    """
    spent = error / 10
    most = clopper_pearson(changed, people, 1 - 2 * spent)[1]
    low, high = net / people, most
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        shares = np.linspace(abs(middle), most, SHARES)
        if _at_most(net, people, middle, shares).max() > error - spent:
            low = middle
        else:
            high = middle
    return high


def _at_most(
    net: int, people: int, difference: float, shares: NDArray[np.float64]
) -> NDArray[np.float64]:
    """P(gained - lost <= net), float64 [shares], where a share of the people change each.

    By the characteristic function of a sum of independent steps of -1, 0 and 1, on a circle that
    holds all but 1e-15 of the law (Bernstein's inequality).
    """
    reach = min(people, 20 + math.ceil(10 * math.sqrt(people * shares[-1])))
    size = 2 * reach + 1
    turn = 2 * np.pi * np.arange(reach + 1) / size
    one = 1 - shares[:, None] * (1 - np.cos(turn)) - 1j * difference * np.sin(turn)
    chances = np.fft.irfft(one**people, size)
    first = max(-people, min(people, round(people * difference) + reach) - 2 * reach)
    at_most: NDArray[np.float64] = chances[:, np.arange(first, net + 1) % size].sum(axis=1)
    return at_most


def bootstrap_interval(values: ArrayLike, seed: int) -> Interval:
    """A 95 % interval of the mean of people's values.

    The studentised bootstrap over people (Efron & Tibshirani, 1993, chapter 12), never narrower
    than Student's interval: the percentile bootstrap is too narrow for tens of people.

    Args:
        values: float [n], finite; two people at least, or the interval has no end.
        seed: of the samples.
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
    t = student_quantile(len(own) - 1, 0.025)
    below, above = np.quantile(means[told] / errors[told], [0.025, 0.975])
    return float(mean - max(above, t) * error), float(mean - min(below, -t) * error)
