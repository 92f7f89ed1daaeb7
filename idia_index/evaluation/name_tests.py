"""What needs the embeddings, at once after the search: control names and blind baselines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from idia_index.decide.results import Prepared
from idia_index.decide.votes import count_votes
from idia_index.encode.backend import Backend
from idia_index.evaluation.baselines import MOST_SWAPPED, BlindScores, learned_scores
from idia_index.evaluation.controls import Matched, OfferedTraits, match_controls, name_traits
from idia_index.evaluation.draws import shuffled
from idia_index.evaluation.measure import mean_image_embeddings, mean_text_embeddings
from idia_index.evaluation.measured import Float64, Measured
from idia_index.evaluation.pvalues import is_calibrated, p_value, rule_wins, score_names
from idia_index.subjects.subjects import MEMBER, NON_MEMBER
from idia_index.types import Int64

OFFERED = 4000
"""Candidates that controls are chosen from; of a larger index a seeded sample."""


@dataclass(frozen=True)
class ControlTests:
    """Each subject's true name against its control names.

    Attributes:
        p_values: float64 [P].
        counts: int64 [P], number of controls, K; with 0 the p-value is 1.
        offsets: int64 [P + 1]; subject p has `wins` offsets[p] to offsets[p + 1].
        wins: int16 [sum K], prompts that each control wins by the rule in the true name's place.
        calibrated: whether scores were standardised by other people's images.
        by: per subject what its controls share with the true name.
    """

    p_values: Float64
    counts: Int64
    offsets: Int64
    wins: NDArray[np.int16]
    calibrated: bool
    by: tuple[tuple[str, ...], ...]

    def rule_positives(self, person: int, tau: int) -> int:
        """Controls of a subject that the plain rule would associate with its images."""
        mine = self.wins[self.offsets[person] : self.offsets[person + 1]]
        return int((mine >= tau).sum())


def token_counts(backend: Backend, names: Sequence[str]) -> list[int]:
    """Tokens of each name; words, where the backend has no tokenizer that says so."""
    if backend.text_tower is None:
        return [len(name.split()) for name in names]
    return [len(tokens) for tokens in backend.text_tower.tokenizer.encode(names)]


def offered_names(prepared: Prepared, seed: int) -> Int64:
    """Candidates that may be controls: none of them a subject's name; ids int64, rising."""
    taken = set(prepared.name_ids)
    order = shuffled(seed, len(prepared.index), 0xC0)
    kept = [i for i in order[: OFFERED + len(taken)].tolist() if i not in taken]
    return np.array(sorted(kept[:OFFERED]), np.int64)


def names_against_controls(
    prepared: Prepared, backend: Backend, measured: Measured, seed: int
) -> ControlTests:
    """P-values of all subjects, from controls among the index's candidates."""
    index = prepared.index
    offered = offered_names(prepared, seed)
    subjects = [subject.name for subject in prepared.subjects]
    names = [index.name(int(i)) for i in offered]
    tokens = token_counts(backend, [*subjects, *names])
    traits = [name_traits(n, t) for n, t in zip([*subjects, *names], tokens, strict=True)]
    table = OfferedTraits.of(traits[len(subjects) :])
    matched = [match_controls(own, table) for own in traits[: len(subjects)]]
    texts = mean_text_embeddings(index, np.concatenate((measured.name_ids, offered)))
    blocks = score_names(
        mean_image_embeddings(prepared), texts[: len(subjects)], texts[len(subjects) :]
    )
    scored = (pair for block in blocks for pair in zip(block.own, block.offered, strict=True))
    p_values, wins = np.ones(len(subjects)), []
    for person, (match, (own, others)) in enumerate(zip(matched, scored, strict=True)):
        p_values[person] = p_value(own, others[match.places])
        rivals = measured.rivals[:, measured.of(person)]
        wins.append(rule_wins(rivals, offered[match.places]).astype(np.int16))
    return _tests(p_values, wins, matched)


def _tests(
    p_values: Float64, wins: list[NDArray[np.int16]], matched: list[Matched]
) -> ControlTests:
    counts = np.array([len(match.places) for match in matched], np.int64)
    return ControlTests(
        p_values=p_values,
        counts=counts,
        offsets=np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
        wins=np.concatenate(wins),
        calibrated=is_calibrated(len(matched)),
        by=tuple(match.by for match in matched),
    )


def blind_scores(prepared: Prepared, measured: Measured, seed: int) -> BlindScores:
    """Scores without a face under its own name; at least two subjects."""
    few = len(measured) <= MOST_SWAPPED
    images = mean_image_embeddings(prepared)
    texts = mean_text_embeddings(prepared.index, measured.name_ids)
    offered = offered_names(prepared, seed)
    crowd = offered[: min(len(offered), 1000)] if len(offered) else measured.name_ids
    typical = mean_text_embeddings(prepared.index, crowd).mean(axis=0)
    others = (images.sum(axis=0) - images) / (len(images) - 1)
    truth = [subject.membership for subject in prepared.subjects]
    members = np.array([i for i, t in enumerate(truth) if t == MEMBER], np.int64)
    non_members = np.array([i for i, t in enumerate(truth) if t == NON_MEMBER], np.int64)
    return BlindScores(
        name_only=texts @ typical,
        image_free=_image_free(prepared, others, texts),
        image_only=learned_scores(images, members, non_members, seed),
        swapped_margin=_swapped_margins(measured, images @ texts.T) if few else None,
        swapped_correct=_swapped_correct(measured) if few else None,
    )


def _image_free(prepared: Prepared, others: Float64, texts: Float64) -> Float64:
    """Margin of each name for the mean of other people's images, float64 [P]."""
    unit = others / np.linalg.norm(others, axis=1, keepdims=True)
    names = np.array(prepared.name_ids, np.int64)
    k = min(2, len(prepared.index))
    similarities, ids = prepared.index.search(unit.astype(np.float32), k=k)
    first_is_true = ids[:, :, 0] == names
    best = np.where(first_is_true, similarities[:, :, k - 1], similarities[:, :, 0])
    out: Float64 = (unit * texts).sum(axis=1) - best.mean(axis=0, dtype=np.float64)
    return out


def _swapped_margins(measured: Measured, margins: Float64) -> Float64:
    """The attack's margin for q's images and p's name, of their similarity, in place; [q, p]."""
    margins -= measured.mean(measured.top)[:, None]
    # Where p's name is itself the prediction, the best other name is the second best.
    place = {int(name): p for p, name in enumerate(measured.name_ids)}
    unique, inverse = np.unique(measured.predictions, return_inverse=True)
    column = np.array([place.get(int(i), -1) for i in unique])[inverse]
    column = column.reshape(measured.predictions.shape)
    weight = 1 / (measured.templates * measured.images[measured.owners])
    t, m = np.nonzero(column >= 0)
    gain = (measured.top[t, m] - measured.second[t, m]) * weight[m]
    np.add.at(margins, (measured.owners[m], column[t, m]), gain)
    return margins


def _swapped_correct(measured: Measured) -> NDArray[np.int16]:
    """Correct prompts for q's images under p's name, int16 [q, p]."""
    people = len(measured)
    out = np.zeros((people, people), np.int16)
    place = {int(name): p for p, name in enumerate(measured.name_ids)}
    for q in range(people):
        winners = count_votes(measured.predictions[:, measured.of(q)])[0]
        for winner in winners.tolist():
            if winner in place:
                out[q, place[winner]] += 1
    return out
