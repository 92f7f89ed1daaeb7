"""Is it the faces? What can be told without them, held against the attack.

The scores here use the names, or the images, but never a subject's face with the subject's name.
If one of them tells members from non-members nearly as well as the attack, the split leaks: the
attack's figures then say nothing about faces (Das, Zhang & Tramer, "Blind Baselines Beat
Membership Inference Attacks for Foundation Models", 2024).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from idia_index.evaluation.auc import auc, auc_interval, standard_error
from idia_index.evaluation.draws import shuffled
from idia_index.evaluation.measured import Float64
from idia_index.evaluation.records.baselines import BaselineRow
from idia_index.types import Int64

SHIFTS = 20
FOLDS = 5
NEAR = 0.5
"""A baseline comes near the attack if it has this share of the attack's advantage over chance."""

GATE_CONFIDENCE = 0.99
"""Of the intervals that are shown, and of what is not excluded."""

ALARM, LEARNED_ALARM = 2.81, 3.5
"""Standard errors above one half from which a baseline raises the alarm: each does in about 0.5 %
of clean splits, so that all five together do in less than 3 %. The AUC of a classifier learned on
the other folds spreads 1.3 to 1.4 times as widely by chance (benchmarks/statistics/leak.py)."""

FEWEST = 10
"""Members, and non-members, below which the AUC says too little to raise an alarm."""

MOST_SWAPPED = 10_000
"""People up to whom everybody's images are tried under everybody's name: 1 GB of pairs."""

OMITTED = (
    "Nobody's images were tried under another name: that takes an entry for each pair of people, "
    f"and is done for at most {MOST_SWAPPED:,} people."
)

SWAPPED = "pairs of a non-member's images and another subject's name of the same sex"
SHUFFLED_MEMBERS = "members' names with another subject's images, one shuffle"
SHUFFLED_NON_MEMBERS = "non-members' names with another subject's images, one shuffle"

WHAT = {
    "name_only": ("name only", "how typical the text tower finds the name, without an image"),
    "image_free": ("image-free", "the mean of other people's images in place of the subject's"),
    "shuffled_images": ("shuffled images", "another person's images under the subject's name"),
    "model_free": (
        "model-free",
        "sizes, EXIF, sharpness and coarse colours of the photos, and the spelling of the name; no "
        "model",
    ),
    "image_only": ("images only", "a linear classifier of image embeddings, without any name"),
}
"""Each baseline's title, and what it looks at."""

LEARNED = ("image_only", "model_free")
"""Baselines whose direction is learned on other people."""


@dataclass(frozen=True)
class BlindScores:
    """Scores of P subjects that use no face together with its name.

    Attributes:
        name_only, image_free: float64 [P].
        image_only: float64 [P], cross-validated; NaN for subjects whose truth is not known.
        features: float64 [P, F], what no model computes; None in results of versions without.
        swapped_margin: float64 [P, P]; [q, p] is the attack's margin for q's images and p's name.
            None of more than `MOST_SWAPPED`.
        swapped_correct: int16 [P, P], likewise the correct prompts.
    """

    name_only: Float64
    image_free: Float64
    image_only: Float64
    swapped_margin: Float64 | None = None
    swapped_correct: NDArray[np.int16] | None = None
    features: Float64 | None = None


def shifted(scores: Float64, seed: int) -> Float64:
    """For each p the mean of scores[q, p] over `SHIFTS` derangements q of p; float64 [P]."""
    people = len(scores)
    order = shuffled(seed, people, 0x5F1F)
    total = np.zeros(people)
    steps = np.unique(1 + np.arange(SHIFTS) * max(1, (people - 1) // SHIFTS) % max(1, people - 1))
    for step in steps.tolist():
        total[order] += scores[np.roll(order, step), order]
    out: Float64 = total / len(steps)
    return out


def one_shift(scores: NDArray[np.int16], seed: int) -> NDArray[np.int16]:
    """For each p scores[q, p] of one derangement q of p; [P]."""
    order = shuffled(seed, len(scores), 0x5F1F)
    out = np.empty(len(scores), scores.dtype)
    out[order] = scores[np.roll(order, 1), order]
    return out


def learned_scores(rows: Float64, members: Int64, others: Int64, seed: int) -> Float64:
    """Cross-validated scores of a linear classifier, float64 [P]; NaN for who is in neither.

    Ridge regression on plus and minus one, its strength the mean variance of the rows; folds
    are stratified and seeded.

    Args:
        rows: float64 [P, D], one per subject.
        members, others: places int64 of the two classes.
    """
    scores = np.full(len(rows), np.nan)
    if min(len(members), len(others)) < FOLDS:
        return scores
    fold = np.full(len(rows), -1)
    for word, places in enumerate((members, others)):
        fold[places[shuffled(seed, len(places), 0xF01D, word)]] = np.arange(len(places)) % FOLDS
    target = np.zeros(len(rows))
    target[members], target[others] = 1, -1
    for number in range(FOLDS):
        train = (fold >= 0) & (fold != number)
        held = fold == number
        scores[held] = ridge(rows[train], target[train], rows[held])
    return scores


def ridge(rows: Float64, target: Float64, held: Float64) -> Float64:
    """Scores of a ridge regression in which both classes count the same, float64 [h].

    Args:
        rows: float64 [n, D].
        target: float64 [n], above 0 for one class, below for the other, neither empty.
        held: float64 [h, D], what is scored.
    """
    centre = rows.mean(axis=0)
    centred = rows - centre
    # Classes of different sizes count the same.
    weight = np.where(target > 0, 1 / (target > 0).sum(), 1 / (target < 0).sum())
    root = np.sqrt(weight * len(target) / 2)[:, None]
    scaled = centred * root
    wanted = target * root[:, 0]
    strength = (scaled**2).sum() / len(scaled)
    # Of two forms that are equal the one with the smaller matrix.
    if scaled.shape[1] < len(scaled):
        weights = np.linalg.solve(_ridged(scaled.T @ scaled, strength), scaled.T @ wanted)
    else:
        weights = scaled.T @ np.linalg.solve(_ridged(scaled @ scaled.T, strength), wanted)
    out: Float64 = (held - centre) @ weights
    return out


def _ridged(products: Float64, strength: float) -> Float64:
    out: Float64 = products + strength * np.eye(len(products))
    return out


def largest_leak(features: Float64, truth: tuple[Int64, Int64], joint: float) -> float:
    """The largest AUC that is not excluded, of any one feature or of all of them together.

    A classifier learned from few people misses a leak that they do not exclude; the AUC of one
    feature needs no learning, and its limit holds for few, too.

    Args:
        features: float64 [P, F].
        truth: places int64 of members and of non-members.
        joint: the upper limit of the classifier's AUC.
    """
    limits = [joint]
    for column in features.T:
        value = auc(column[truth[0]], column[truth[1]])
        sizes = len(truth[0]), len(truth[1])
        low, high = auc_interval(value, *sizes, GATE_CONFIDENCE)
        limits += [high, 1 - low]
    return max(limits)


def standardized(features: Float64) -> Float64:
    """Features [P, F] with mean 0 and, unless they are constant, standard deviation 1."""
    spread = features.std(axis=0)
    out: Float64 = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1)
    return out


def compare(
    scores: Float64, truth: tuple[Int64, Int64], attack_auc: float, what: str
) -> BaselineRow:
    """A baseline's AUC against the attack's.

    Args:
        scores: float64 [P].
        truth: places int64 of members and of non-members.
        attack_auc: the better of the attack's own.
        what: key of `WHAT`.
    """
    members, others = scores[truth[0]], scores[truth[1]]
    value = auc(members, others)
    if value < 0.5 and what not in LEARNED:  # which way a name is preferred says nothing
        members, others, value = -members, -others, 1 - value
    low, high = auc_interval(value, len(members), len(others), GATE_CONFIDENCE)
    advantage = attack_auc - 0.5
    share = (value - 0.5) / advantage if advantage > 0 else None
    enough = min(len(members), len(others)) >= FEWEST
    near = what == "model_free" or share is None or share >= NEAR
    errors = (LEARNED_ALARM if what in LEARNED else ALARM) * standard_error(
        0.5, len(members), len(others)
    )
    fires = enough and value - 0.5 >= errors and near
    title, looks_at = WHAT[what]
    return BaselineRow(what, title, f"{title}: {looks_at}", value, (low, high), share, fires)
