"""Protocol `jair2024`, point 5: rates over draws of attack images, by number of images and by bin.

Hintersdorf et al., "Does CLIP Know My Face?", JAIR 80 (2024), figures 4 and 5 and the heat map.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from idia_index.errors import InputError
from idia_index.evaluation.counting import correct_templates
from idia_index.evaluation.draws import draw_images, resamples
from idia_index.evaluation.measured import Float64, Measured
from idia_index.support.intervals import share_interval
from idia_index.types import Int64

PAPER_SIZES = (*range(1, 30, 2), 30)
BOOTSTRAP = 2000


@dataclass(frozen=True)
class Drawn:
    """Correct prompts over draws.

    Attributes:
        sizes: images of a draw, S of them, ascending.
        correct: int16 [S, R, P], correct prompts of each draw for each of P people.
    """

    sizes: tuple[int, ...]
    correct: NDArray[np.int16]

    def positive(self, tau: int) -> Float64:
        """Share of draws in which each person is inferred a member, float64 [S, P]."""
        share: Float64 = (self.correct >= tau).mean(axis=1)
        return share


def draw_correct(
    measured: Measured,
    people: Sequence[tuple[int, str]],
    sizes: Sequence[int],
    draws: int,
    seed: int,
) -> Drawn:
    """Correct prompts of every draw.

    Args:
        measured: what the search gave.
        people: place in `measured` and name of those who are evaluated.
        sizes: images of a draw, ascending; nobody may have fewer images than the largest.
        draws: draws of each size.
        seed: of the draws.
    """
    correct = np.empty((len(sizes), draws, len(people)), np.int16)
    for column, (place, name) in enumerate(people):
        here = measured.of(place)
        drawn = draw_images(name, here.stop - here.start, sizes, draws, seed)
        won = correct_templates(
            measured.predictions[:, here],
            int(measured.name_ids[place]),
            drawn.reshape(-1, drawn.shape[2]),
        )
        correct[:, :, column] = won.sum(axis=1).reshape(len(sizes), draws)
    return Drawn(tuple(sizes), correct)


@dataclass(frozen=True)
class Curve:
    """A rate against the number of attack images.

    Attributes:
        people: of how many people.
        mean, sd: float64 [S], over draws; see `draw_sd`.
        low, high: float64 [S], 95 % percentile interval of the mean over draws, bootstrapped
            over people; None where there is nobody.
    """

    people: int
    mean: Float64
    sd: Float64
    low: Float64
    high: Float64


def rate_curve(drawn: Drawn, who: NDArray[np.bool_], tau: int, seed: int) -> Curve | None:
    """The share of some people inferred to be members, by number of images; None of nobody."""
    if not who.any():
        return None
    verdicts = drawn.correct[:, :, who] >= tau
    rates = verdicts.mean(axis=2)
    low, high = band(verdicts.mean(axis=1), seed)
    return Curve(int(who.sum()), rates.mean(axis=1), draw_sd(rates), low, high)


def draw_sd(rates: Float64) -> Float64:
    """Standard deviation float64 [S] over draws of rates float64 [S, R]; 0 of a single draw.

    R - 1 stands in the denominator, as in the paper's bands and matrices, which pandas computed.
    """
    draws = rates.shape[1]
    return rates.std(axis=1, ddof=1) if draws > 1 else np.zeros(len(rates))


def band(shares: Float64, seed: int) -> tuple[Float64, Float64]:
    """95 % percentile intervals float64 [S] of the mean over people of shares float64 [S, P].

    A bootstrap of 24 hits of 24 has no width, so no interval is narrower than the exact one.
    """
    low, high = bootstrapped(shares, seed)
    people = shares.shape[1]
    exact = np.array([share_interval(share, people) for share in shares.mean(axis=1).tolist()])
    return np.minimum(low, exact[:, 0]), np.maximum(high, exact[:, 1])


def bootstrapped(shares: Float64, seed: int) -> tuple[Float64, Float64]:
    """95 % percentile intervals float64 [S] of the mean over people of values float64 [S, P].

    People are resampled, not images or draws: it is people that the result is to hold for.
    """
    people = shares.shape[1]
    counts = resamples(seed, people, BOOTSTRAP)
    means = counts @ shares.T.astype(np.float32) / np.float32(people)
    low, high = np.quantile(means.astype(np.float64), [0.025, 0.975], axis=0)
    return low, high


def ratio_interval(hits: Int64, totals: Int64, seed: int) -> tuple[float, float]:
    """95 % percentile interval of sum(hits) / sum(totals), int64 [P] each, every total above 0.

    People are resampled with all that they count for, so that it is the same ratio in each
    sample: the mean of the people's own shares is another number where totals differ.
    """
    counts = resamples(seed, len(totals), BOOTSTRAP).astype(np.float64)
    low, high = np.quantile((counts @ hits) / (counts @ totals), [0.025, 0.975])
    return float(low), float(high)


@dataclass(frozen=True)
class Bin:
    """A range of training counts, `low` <= count < `high` (None: no end), and who is in it.

    Attributes:
        members: bool [P].
    """

    low: int
    high: int | None
    members: NDArray[np.bool_]

    @property
    def label(self) -> str:
        """As tables show it."""
        if self.high is None:
            return f"{self.low:,} or more"
        return (
            f"{self.low:,}" if self.high == self.low + 1 else f"{self.low:,} to {self.high - 1:,}"
        )


DISTINCT_BINS = 12
PAPER_BIN = 25


def make_bins(
    counts: Sequence[int | None], members: NDArray[np.bool_], edges: Sequence[int] | None
) -> list[Bin]:
    """Bins of the members by training count; those without a count are in none.

    Args:
        counts: training count of each of P people, None where not known.
        members: bool [P].
        edges: where bins start, ascending; None: one bin per count where there are few different
            ones, else the paper's, 25 wide.

    Raises:
        InputError: the edges do not rise.
    """
    known = [c for c, member in zip(counts, members, strict=True) if member and c is not None]
    if edges is not None and (list(edges) != sorted(set(edges)) or not edges or edges[0] < 0):
        raise InputError(f"bins {list(edges)}: pass ascending numbers from 0, such as 0,25,50,100")
    if not known:
        return []
    distinct = sorted(set(known))
    pairs: list[tuple[int, int | None]]
    if edges is not None:
        pairs = list(zip(edges, [*edges[1:], None], strict=True))
    elif len(distinct) <= DISTINCT_BINS:
        pairs = [(count, count + 1) for count in distinct]
    else:
        start, stop = distinct[0] // PAPER_BIN, distinct[-1] // PAPER_BIN + 1
        pairs = [(PAPER_BIN * i, PAPER_BIN * (i + 1)) for i in range(start, stop)]
    values = np.array([-1 if count is None else count for count in counts])
    bins = []
    for low, high in pairs:
        inside = members & (values >= low) & (values < (high if high is not None else np.inf))
        if inside.any():
            bins.append(Bin(low, high, inside))
    return bins


def full_correct(measured: Measured, predictions: Int64 | None = None) -> Int64:
    """Correct prompts with all images, int64 [P]; of other predictions int64 [T, M] if given."""
    table = measured.predictions if predictions is None else predictions
    out = np.empty(len(measured), np.int64)
    for place in range(len(measured)):
        here = measured.of(place)
        everything = np.ones((1, here.stop - here.start), np.bool_)
        out[place] = correct_templates(
            table[:, here], int(measured.name_ids[place]), everything
        ).sum()
    return out
