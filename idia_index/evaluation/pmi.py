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

The mean of many photos' probabilities is rarely as small as that of one, so the second question is
asked of as many photos of the person as of each reference: see `Trial`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from idia_index.evaluation.measured import Float64
from idia_index.evaluation.pvalues import p_value
from idia_index.support.concurrency import in_threads
from idia_index.support.threads import one_blas_thread, workers
from idia_index.types import Float32, Int64

BLOCK = 64
"""People whose scores are held at a time."""

PHOTOS = 64
"""Photos whose probabilities are held at a time, in each thread: they stay in its cache."""

FLOAT32_LOGITS = 80.0
"""Logits that lie further apart take float64: float32 ends at exp(-87)."""

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

    Templates are scored in threads, and what is found does not depend on how many there are.

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
        with one_blas_thread():
            found = list(in_threads(self._sum_references, range(len(offered)), workers()))
        self._sums = np.stack([sums for _, (sums, _) in found])
        self._totals = np.stack([totals for _, (_, totals) in found])

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
            block = _Block.of(people.take(np.arange(here.start, here.stop)), trials[here])
            yield from self._block(block, partial(_in_run, names_of, here))

    def _block(self, block: _Block, names_of: Callable[[int], Float32]) -> Iterator[Scored]:
        templates, people = len(self._offered), len(block.people)
        likelihoods = np.zeros(len(block.groups))
        score, controls = np.zeros(people), np.zeros((people, self._offered.shape[1]))
        references = np.zeros((len(self._references), people))
        work = partial(self._in_template, block)
        names = ((template, names_of(template)) for template in range(templates))
        with one_blas_thread():
            for _, found in in_threads(work, names, workers()):
                likelihoods += found.likelihoods / templates
                score += found.score / templates
                controls += found.controls / templates
                references += found.references / templates
        references[block.places, block.rows] = np.nan
        for row, own in enumerate(np.split(likelihoods, block.ends[:-1])):
            yield Scored(float(score[row]), controls[row], own, references[:, row])

    def _in_template(self, block: _Block, named: tuple[int, Float32]) -> _InTemplate:
        template, names = named
        people, rows = block.people, block.rows
        photos, offered = self._people(people, names, self._offered[template])
        found = _InTemplate(
            likelihoods=np.log(block.groups.means(photos[block.grouped])[:, 0]),
            score=np.log(people.means(photos)[:, 0]),
            controls=np.log(offered),
            references=np.zeros((len(self._references), len(people))),
        )
        if not len(self._references):
            return found
        each = self._of_references(names, self._totals[template])
        theirs = self._references.means(each)
        for size, here in block.by_photos.items():
            first = self._references.first_means(each[:, here], size)
            found.references[:, here] = np.log(first)
        theirs[block.places, rows] = 0  # nobody is a reference for themselves
        others = np.count_nonzero(theirs, axis=0)
        beside = np.repeat(self._sums[template][None], len(people), axis=0)
        beside[rows] -= offered[rows]
        # Of a difference of nearly equal numbers nothing but rounding is left.
        np.maximum(beside, self._sums[template] * CANCELLED, out=beside)
        score = found.score - np.log(theirs.sum(axis=0) / others)
        return replace(
            found, score=score, controls=found.controls - np.log(beside / others[:, None])
        )

    def _sum_references(self, template: int) -> tuple[Float64, Float64]:
        """The sum over references of P(name offered) [O], and what `_softmax` divides by [m]."""
        sizes = np.diff(self._references.offsets)
        share = np.repeat(1 / sizes, sizes).astype(np.float32)  # of a photo in its person's mean
        sums, totals = np.zeros(self._offered.shape[1]), np.zeros(len(share))
        for here, each, total in self._softmax(self._references.images, self._offered[template]):
            sums += share[here] @ each
            totals[here] = total
        return sums, totals

    def _softmax(
        self, images: Float32, texts: Float32
    ) -> Iterator[tuple[slice, Float32 | Float64, Float64]]:
        """A few photos at a time: which, P(name | photo) [m, O], and the log of what it divides by.

        In float32, as the similarities are, unless a probability would be too small for it.
        """
        for start in range(0, len(images), PHOTOS):
            here = slice(start, min(start + PHOTOS, len(images)))
            logits: Float32 | Float64 = images[here] @ texts.T
            top = logits.max(axis=1, keepdims=True)
            if self._scale * float((top[:, 0] - logits.min(axis=1)).max()) > FLOAT32_LOGITS:
                logits = logits.astype(np.float64)
            logits -= top
            logits *= logits.dtype.type(self._scale)
            np.exp(logits, out=logits)
            totals = logits.sum(axis=1)
            logits /= totals[:, None]
            yield here, logits, self._scale * top[:, 0].astype(np.float64) + np.log(totals)

    def _people(self, people: Photos, names: Float32, offered: Float32) -> tuple[Float64, Float64]:
        """P(own name | photo) float64 [m, 1], and P(name offered | photos) float64 [b, O]."""
        sizes = np.diff(people.offsets)
        owners = np.repeat(np.arange(len(people)), sizes)
        own = np.einsum("md,md->m", people.images, names[owners], dtype=np.float64) * self._scale
        sums = np.zeros((len(people), len(offered)))
        for here, each, totals in self._softmax(people.images, offered):
            whose, starts = np.unique(owners[here], return_index=True)
            sums[whose] += np.add.reduceat(each, starts, axis=0)
            own[here] -= np.logaddexp(own[here], totals)
        return np.exp(own)[:, None], sums / sizes[:, None]

    def _of_references(self, names: Float32, totals: Float64) -> Float64:
        """P(name | photo) of each photo of a reference and name, float64 [m, b]."""
        logits = (self._references.images @ names.T).astype(np.float64)
        logits *= self._scale
        logits -= totals[:, None]
        odds = np.exp(np.minimum(logits, 700, out=logits), out=logits)  # beyond, it overflows
        odds /= 1 + odds
        return odds


@dataclass(frozen=True)
class _InTemplate:
    """What one template adds to the scores of B people, before it is divided by their number.

    Attributes:
        likelihoods: float64 [G], log P(own name | photos) of each group of photos.
        score: float64 [B], of the own name.
        controls: float64 [B, O], of each name offered.
        references: float64 [R, B], log P(own name | photos) of each reference.
    """

    likelihoods: Float64
    score: Float64
    controls: Float64
    references: Float64


@dataclass(frozen=True)
class _Block:
    """People who are scored at a time, and how each is held against the references.

    Attributes:
        people: their photos.
        grouped: int64 [g], the photos that are in a group, and `groups`, these by group.
        ends: int64 [B], where each person's groups end.
        rows: the people who are references, and `places`, which they are.
        by_photos: people by the photos that are compared at a time.
    """

    people: Photos
    grouped: Int64
    groups: Photos
    ends: Int64
    rows: list[int]
    places: list[int]
    by_photos: dict[int, list[int]]

    @classmethod
    def of(cls, people: Photos, trials: Sequence[Trial]) -> _Block:
        chosen, sizes, ends = [], [0], []
        by_photos: dict[int, list[int]] = {}
        for row, trial in enumerate(trials):
            first, photos = int(people.offsets[row]), trial.photos
            count = (int(people.offsets[row + 1]) - first) // photos
            chosen.append(np.arange(first, first + count * photos))
            sizes += count * [photos]
            ends.append(len(sizes) - 1)
            by_photos.setdefault(photos, []).append(row)
        grouped = np.concatenate(chosen)
        known = {row: t.place for row, t in enumerate(trials) if t.place is not None}
        return cls(
            people=people,
            grouped=grouped,
            groups=Photos(people.images[grouped], np.cumsum(sizes)),
            ends=np.array(ends, np.int64),
            rows=list(known),
            places=list(known.values()),
            by_photos=by_photos,
        )


def _in_run(names_of: Callable[[int, slice], Float32], run: slice, template: int) -> Float32:
    return names_of(template, run)


def photos_of(images: Float32, owners: Int64, people: int) -> Photos:
    """Photos whose owners int64 [M] ascend from 0 to `people` - 1, each with at least one."""
    offsets = np.searchsorted(owners, np.arange(people + 1)).astype(np.int64)
    if any(start == stop for start, stop in pairwise(offsets.tolist())):
        raise ValueError("somebody has no photo")
    return Photos(images, offsets)
