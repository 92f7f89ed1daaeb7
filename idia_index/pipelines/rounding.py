"""Decides which differences of two measurements float32 rounding can explain.

Another processor, batch or library changes the last digits of a cosine similarity. That may flip
a prediction between two nearly equally close names, or move a p-value by one control name. Nothing
else may differ.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idia_index.decide.decision import decide
from idia_index.decide.results import rival_spellings
from idia_index.decide.votes import count_votes
from idia_index.evaluation.baselines import BlindScores
from idia_index.evaluation.evidence import Evidence
from idia_index.evaluation.measured import Float64, Measured
from idia_index.evaluation.name_tests import ControlTests
from idia_index.search.index import Index
from idia_index.types import Int64

SIMILARITY = 1e-5
"""How much float32 may change a cosine similarity; about 1e-7 was measured between backends."""

RIDGE = 1e-4
"""The same for the scores of a classifier fitted to image embeddings."""

TURNED = 2e-4
"""Share of predictions in smaller pools, or of votes of control names, that may flip: the lead
over the second name is not stored for them."""

Array = NDArray[Any]


@dataclass(frozen=True)
class Settled:
    """A measurement with another one's rounding.

    Attributes:
        evidence: the measurement, with the other's numbers where they differ only by rounding.
        taken: number of values taken from the other.
    """

    evidence: Evidence
    taken: int


def settle(now: Evidence, before: Evidence) -> Settled:
    """`now` with the numbers of `before` where they differ only by rounding.

    Larger differences keep the numbers of `now`, so `before` need not be trusted. If `before` is
    of other people or images, nothing is taken.
    """
    if not _same_people(now, before):
        return Settled(now, 0)
    taking = _Taking()
    measured = _measured(now, before.measured, taking)
    blind = now.blind
    if blind is not None and before.blind is not None:
        blind = _blind(blind, before.blind, taking)
    evidence = replace(
        _decided(now, measured),
        measured=measured,
        controls=_controls(now, before.tests, taking),
        blind=blind,
    )
    return Settled(evidence, taking.taken)


def _same_people(now: Evidence, before: Evidence) -> bool:
    pairs = [(now.measured, before.measured), (now.tests, before.tests)]
    if now.blind is not None and before.blind is not None:
        pairs.append((now.blind, before.blind))
    return (
        [r.subject.name for r in now.audit.subjects]
        == [r.subject.name for r in before.audit.subjects]
        and np.array_equal(now.measured.name_ids, before.measured.name_ids)
        and np.array_equal(now.measured.offsets, before.measured.offsets)
        and np.array_equal(now.tests.offsets, before.tests.offsets)
        and all(
            value.shape == np.shape(getattr(b, name))
            for a, b in pairs
            for name, value in vars(a).items()
            if isinstance(value, np.ndarray)
        )
    )


class _Taking:
    """Takes numbers from another measurement and counts them."""

    def __init__(self) -> None:
        self.taken = 0

    def where(self, allowed: NDArray[np.bool_], now: Array, before: Array) -> Array:
        allowed = allowed & (now != before)
        self.taken += int(allowed.sum())
        return np.where(allowed, before, now).astype(now.dtype)

    def near(self, now: Array, before: Array, tolerance: float) -> Array:
        return self.where(np.abs(before - now) <= tolerance, now, before)

    def few(self, now: Array, before: Array, step: int | None = None) -> Array:
        """Integers of which few differ, by at most `step`."""
        differ = now != before
        if differ.sum() > max(1, TURNED * now.size):
            return now
        return self.where(differ if step is None else abs(now - before) <= step, now, before)


def _measured(now: Evidence, before: Measured, taking: _Taking) -> Measured:
    mine = now.measured
    own = before.predictions == mine.name_ids[mine.owners]
    gap = mine.top - np.where(own, mine.true, mine.second)
    is_name = (before.predictions >= 0) & (before.predictions < len(now.audit.index))
    return replace(
        mine,
        predictions=taking.where(
            is_name & (gap <= 2 * SIMILARITY), mine.predictions, before.predictions
        ),
        top=taking.near(mine.top, before.top, SIMILARITY),
        second=taking.near(mine.second, before.second, SIMILARITY),
        true=taking.near(mine.true, before.true, SIMILARITY),
        pool_predictions=taking.few(mine.pool_predictions, before.pool_predictions),
        pool_unknown=taking.near(mine.pool_unknown, before.pool_unknown, TURNED),
    )


def _decided(now: Evidence, measured: Measured) -> Evidence:
    """The same audit with these predictions."""
    subjects = []
    for person, result in enumerate(now.audit.subjects):
        here = measured.of(person)
        predictions = measured.predictions[:, here]
        winners, counts, _ = count_votes(predictions)
        rivals, index = result.rival_spellings, now.audit.index
        # Recorded evidence stores only the winners' names.
        if isinstance(index, Index) and not np.array_equal(predictions, result.predictions):
            rivals = rival_spellings(index, predictions, result.name_id, result.subject.name)
        subjects.append(
            replace(
                result,
                predictions=predictions,
                similarities=measured.top[:, here],
                winners=winners,
                counts=counts,
                decision=decide(winners, result.name_id, now.audit.tau),
                rival_spellings=rivals,
            )
        )
    return replace(now, audit=replace(now.audit, subjects=tuple(subjects)))


def _controls(evidence: Evidence, before: ControlTests, taking: _Taking) -> ControlTests:
    now = evidence.tests
    # Twice a rank if photos were taken in groups.
    twice = 1 + (evidence.measured.images >= 2 * now.reference_photos)
    # A logit is a similarity times the scale; the log of a mean probability changes no more.
    moved = 4 * SIMILARITY * now.scale.value
    return replace(
        now,
        scores=taking.near(now.scores, before.scores, moved),
        control_p_values=_ranks(
            now.control_p_values, before.control_p_values, now.counts + 1, taking
        ),
        name_fixed_p_values=_ranks(
            now.name_fixed_p_values,
            before.name_fixed_p_values,
            (now.references + 1) / twice,
            taking,
        ),
        wins=taking.few(now.wins, before.wins, 1),
    )


def _ranks(now: Float64, before: Float64, sizes: Int64 | Float64, taking: _Taking) -> Float64:
    """P-values float64 [P] that are ranks among [P] candidates, moved by at most one."""
    ranks = before * sizes
    is_rank = (np.abs(ranks - np.rint(ranks)) < 1e-6) & (ranks > 0.5)
    return taking.where(is_rank & (np.abs(ranks - now * sizes) < 1.5), now, before)


def _blind(now: BlindScores, before: BlindScores, taking: _Taking) -> BlindScores:
    margin, correct = now.swapped_margin, now.swapped_correct
    if margin is not None and before.swapped_margin is not None:
        margin = taking.near(margin, before.swapped_margin, SIMILARITY)
    if correct is not None and before.swapped_correct is not None:
        correct = taking.few(correct, before.swapped_correct, 1)
    return BlindScores(
        name_only=taking.near(now.name_only, before.name_only, SIMILARITY),
        image_free=taking.near(now.image_free, before.image_free, SIMILARITY),
        image_only=taking.near(now.image_only, before.image_only, RIDGE),
        swapped_margin=margin,
        swapped_correct=correct,
        features=now.features,  # no model, no rounding
    )
