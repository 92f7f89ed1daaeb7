"""Does the face make the name likelier? A score by pointwise mutual information, and two p-values.

The model's own zero-shot probability of a name given a photo is a softmax over candidates at the
model's logit scale. Here a name competes with the names offered as controls; P(name | photos) is
the mean over a person's photos. Some names are likely whatever the photo shows, so the score is

    mean over templates of log( P(name | their photos) / mean over references of P(name | theirs) )

where the references are other people. It is near zero where the photos tell nothing of the name.

Two questions are asked of it, and neither answer is an answer to the other:

- *control names*: is the true name better than names like it, for these photos? Valid over names:
  a name that fits everybody's photos can still stand out.
- *name fixed*: are these photos better for this name than other people's photos are? Valid for
  the one name, as long as the references are exchangeable with the person.

The mean of many photos' probabilities is seldom as small as that of one, so the second question is
asked of as many photos of the person as of each reference: see `Trial`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from idia_index.evaluation.measured import Float64
from idia_index.evaluation.pvalues import p_value
from idia_index.types import Float32, Int64

BLOCK = 64
"""People whose scores are held at a time."""

PHOTOS = 1024
"""References' photos whose probabilities are held at a time."""

CANCELLED = 1e-12


@dataclass(frozen=True)
class Photos:
    """Photos of P people: unit rows float32 [M, D]; person p has offsets[p] to offsets[p + 1]."""

    images: Float32
    offsets: Int64

    def __len__(self) -> int:
        """Number of people, P."""
        return len(self.offsets) - 1

    def take(self, people: Int64) -> Photos:
        """The photos of some people, places int64 [p]."""
        runs = [self.images[self.offsets[p] : self.offsets[p + 1]] for p in people.tolist()]
        sizes = [len(run) for run in runs]
        return Photos(np.concatenate(runs), np.concatenate(([0], np.cumsum(sizes))))

    def means(self, rows: Float64) -> Float64:
        """The mean over each person's photos of rows [M, U], float64 [P, U]."""
        sums: Float64 = np.add.reduceat(rows, self.offsets[:-1], axis=0)
        return sums / np.diff(self.offsets)[:, None]

    def first_means(self, rows: Float64, photos: int) -> Float64:
        """The mean over each person's first photos; NaN for who has fewer; float64 [P, U]."""
        sizes = np.diff(self.offsets)
        place = np.arange(self.offsets[-1]) - np.repeat(self.offsets[:-1], sizes)
        chosen = (place < photos) & np.repeat(sizes >= photos, sizes)
        out = np.full((len(self), rows.shape[1]), np.nan)
        found = rows[chosen].reshape(-1, photos, rows.shape[1])
        out[sizes >= photos] = found.mean(axis=1)
        return out


@dataclass(frozen=True)
class Trial:
    """How a person's photos are held against the references'.

    Attributes:
        place: the person's among the references; None for who is not one of them: nobody is a
            reference for themselves.
        photos: photos of the person and of each reference that are compared, at least one. The
            person's photos are cut into groups of so many.
    """

    place: int | None
    photos: int


@dataclass(frozen=True)
class Scored:
    """One person's name, for their own photos and the references', and the control names.

    Attributes:
        score: PMI of the true name; without references the likelihood.
        controls: float64 [O], the same of every name offered, for the same photos.
        likelihoods: float64 [g], mean over templates of log P(true name | photos), of each group
            of as many of their photos as of each reference.
        references: float64 [R], the same of the references; NaN for the person and for those
            with fewer photos.
    """

    score: float
    controls: Float64
    likelihoods: Float64
    references: Float64

    def name_fixed_p(self, comparable: NDArray[np.bool_]) -> tuple[float, int]:
        """The p-value over comparable references, bool [R], and how many those are.

        Of several groups of photos each gives a p-value, and they depend on each other. Twice
        their median is valid all the same: by Markov's inequality, half of valid p-values are at
        most a / 2 with a probability of at most a.
        """
        others = self.references[comparable & ~np.isnan(self.references)]
        found = sorted(p_value(each, others) for each in self.likelihoods.tolist())
        if len(found) == 1:
            return found[0], len(others)
        return min(1.0, 2 * found[(len(found) - 1) // 2]), len(others)


class NameScores:
    """Scores of people and names of one model.

    Args:
        offered: float32 [T, O, D], unit rows: the control names in each template, O at least 1.
        references: photos of R people, at least two; None: a name is scored by its likelihood
            alone, so that one which fits everybody's photos scores high.
        logit_scale: what the model multiplies cosine similarities by before a softmax.
    """

    def __init__(self, offered: Float32, references: Photos | None, logit_scale: float) -> None:
        self._offered = offered
        self._scale = logit_scale
        self._references = references or Photos(
            np.empty((0, offered.shape[2]), np.float32), np.zeros(1, np.int64)
        )
        self._totals = np.empty((len(offered), len(self._references.images)))
        self._sums = np.zeros(offered.shape[:2])
        for template in range(len(offered)):
            self._sum_references(template)

    def of(
        self,
        people: Photos,
        names_of: Callable[[int, slice], Float32],
        trials: Sequence[Trial],
    ) -> Iterator[Scored]:
        """Everybody's own name, in order.

        Args:
            people: photos of P people.
            names_of: gives the text embeddings of a template and a run of people's names,
                float32 [b, D], unit rows.
            trials: how each person is held against the references.
        """
        for start in range(0, len(people), BLOCK):
            here = slice(start, min(start + BLOCK, len(people)))
            block = people.take(np.arange(here.start, here.stop))
            yield from self._block(block, partial(_in_run, names_of, here), trials[here])

    def _block(
        self, people: Photos, names_of: Callable[[int], Float32], trials: Sequence[Trial]
    ) -> Iterator[Scored]:
        templates, shape = len(self._offered), (len(people), self._offered.shape[1])
        grouped, groups = _groups(people, trials)
        likelihoods = np.zeros(len(groups))
        score, controls = np.zeros(shape[0]), np.zeros(shape)
        references = np.zeros((len(self._references), len(people)))
        rows = [row for row, trial in enumerate(trials) if trial.place is not None]
        within = [trial.place for trial in trials if trial.place is not None]
        for template in range(templates):
            names = names_of(template)
            photos, offered = self._people(people, names, self._offered[template])
            likelihoods += np.log(groups.means(photos[grouped])[:, 0]) / templates
            score += np.log(people.means(photos)[:, 0]) / templates
            controls += np.log(offered) / templates
            if not len(self._references):
                continue
            each = self._of_references(names, self._totals[template])
            theirs = self._references.means(each)
            for size in {trial.photos for trial in trials}:
                here = [row for row, trial in enumerate(trials) if trial.photos == size]
                first = self._references.first_means(each[:, here], size)
                references[:, here] += np.log(first) / templates
            theirs[within, rows] = 0  # nobody is a reference for themselves
            others = np.count_nonzero(theirs, axis=0)
            score -= np.log(theirs.sum(axis=0) / others) / templates
            beside = np.repeat(self._sums[template][None], len(people), axis=0)
            beside[rows] -= offered[rows]
            # Of a difference of nearly equal numbers nothing but rounding is left.
            np.maximum(beside, self._sums[template] * CANCELLED, out=beside)
            controls -= np.log(beside / others[:, None]) / templates
        references[within, rows] = np.nan
        ends = np.cumsum([_in_groups(people, row, trial) for row, trial in enumerate(trials)])
        for row, own in enumerate(np.split(likelihoods, ends[:-1])):
            yield Scored(float(score[row]), controls[row], own, references[:, row])

    def _sum_references(self, template: int) -> None:
        """What a template's softmax divides by, and the sum over references of P(name offered)."""
        sizes = np.diff(self._references.offsets)
        share = np.repeat(1 / sizes, sizes)  # of a photo in its person's mean
        for start in range(0, len(share), PHOTOS):
            here = slice(start, start + PHOTOS)
            weights = self._weights(self._references.images[here], self._offered[template])
            self._totals[template, here] = weights.sum(axis=1)
            self._sums[template] += (share[here] / self._totals[template, here]) @ weights

    def _weights(self, images: Float32, texts: Float32) -> Float64:
        """exp(scale * (similarity - 1)) float64 [m, U]: a softmax before it is divided."""
        logits = (images @ texts.T).astype(np.float64)
        logits -= 1
        logits *= self._scale
        return np.exp(logits, out=logits)

    def _people(self, people: Photos, names: Float32, offered: Float32) -> tuple[Float64, Float64]:
        """P(own name | photo) float64 [m, 1], and P(name offered | photos) float64 [b, O]."""
        weights = self._weights(people.images, offered)
        totals = weights.sum(axis=1)
        owners = np.repeat(np.arange(len(people)), np.diff(people.offsets))
        similar = np.einsum("md,md->m", people.images, names[owners], dtype=np.float64)
        own = np.exp(self._scale * (similar - 1))
        return (own / (totals + own))[:, None], people.means(weights / totals[:, None])

    def _of_references(self, names: Float32, totals: Float64) -> Float64:
        """P(name | photo) of each photo of a reference and name, float64 [m, b]."""
        weights = self._weights(self._references.images, names)
        weights /= totals[:, None] + weights
        return weights


def _in_run(names_of: Callable[[int, slice], Float32], run: slice, template: int) -> Float32:
    return names_of(template, run)


def _in_groups(people: Photos, row: int, trial: Trial) -> int:
    """Groups of photos of a person."""
    return int(people.offsets[row + 1] - people.offsets[row]) // trial.photos


def _groups(people: Photos, trials: Sequence[Trial]) -> tuple[Int64, Photos]:
    """Which photos are in a group, int64; and these by group."""
    rows, sizes = [], [0]
    for row, trial in enumerate(trials):
        first, count = int(people.offsets[row]), _in_groups(people, row, trial)
        rows.append(np.arange(first, first + count * trial.photos))
        sizes += count * [trial.photos]
    chosen = np.concatenate(rows)
    return chosen, Photos(people.images[chosen], np.cumsum(sizes))


def photos_of(images: Float32, owners: Int64, people: int) -> Photos:
    """Photos whose owners int64 [M] ascend from 0 to `people` - 1, each with at least one."""
    offsets = np.searchsorted(owners, np.arange(people + 1)).astype(np.int64)
    if any(start == stop for start, stop in pairwise(offsets.tolist())):
        raise ValueError("somebody has no photo")
    return Photos(images, offsets)
