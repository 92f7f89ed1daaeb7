"""What needs the embeddings, at once after the search: control names and blind baselines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from idia_index.decide.results import Prepared
from idia_index.decide.votes import count_votes
from idia_index.evaluation.baselines import MOST_SWAPPED, BlindScores, learned_scores, standardized
from idia_index.evaluation.controls import OfferedTraits, match_controls, name_traits
from idia_index.evaluation.draws import shuffled
from idia_index.evaluation.measure import mean_image_embeddings, mean_text_embeddings
from idia_index.evaluation.measured import Float64, Measured
from idia_index.evaluation.pmi import NameScores, Photos, Scored, Trial, photos_of
from idia_index.evaluation.pvalues import p_value, rule_wins
from idia_index.evaluation.references import REFERENCE, LogitScale, References
from idia_index.plugins import BackendPlugin
from idia_index.search.index import Index
from idia_index.subjects.photo_features import photo_features
from idia_index.subjects.reference_faces import EncodedFaces, FacesSummary
from idia_index.subjects.subjects import MEMBER, NON_MEMBER
from idia_index.types import Int64

OFFERED = 4000
"""Candidates that controls are chosen from; of a larger index a seeded sample."""


@dataclass(frozen=True)
class ControlTests:
    """Each subject's true name against its control names, and against other people's photos.

    Attributes:
        scores: float64 [P], PMI of the true name (see `idia_index.evaluation.pmi`); its
            likelihood where not `calibrated`.
        control_p_values: float64 [P], among control names; 1 where there is none.
        name_fixed_p_values: float64 [P], among references; NaN where there are too few.
        references: int64 [P], comparable people whose photos the true name was tried on.
        reference_photos: int64 [P], photos of each of them, and of the subject at a time.
        counts: int64 [P], number of controls, K.
        offsets: int64 [P + 1]; subject p has `wins` offsets[p] to offsets[p + 1].
        wins: int16 [sum K], prompts that each control wins by the rule in the true name's place.
        calibrated: whether there were references enough.
        faces: the reference faces; None where other subjects served.
        scale: the logit scale.
        by: per subject what its controls share with the true name.
    """

    scores: Float64
    control_p_values: Float64
    name_fixed_p_values: Float64
    references: Int64
    reference_photos: Int64
    counts: Int64
    offsets: Int64
    wins: NDArray[np.int16]
    calibrated: bool
    faces: FacesSummary | None
    scale: LogitScale
    by: tuple[tuple[str, ...], ...]

    @property
    def p_values(self) -> Float64:
        """The larger of each subject's p-values, float64 [P]."""
        return np.fmax(self.control_p_values, self.name_fixed_p_values)

    def rule_positives(self, person: int, tau: int) -> int:
        """Controls of a subject that the plain rule would associate with its images."""
        mine = self.wins[self.offsets[person] : self.offsets[person + 1]]
        return int((mine >= tau).sum())


def token_counts(backend: BackendPlugin, names: Sequence[str]) -> list[int]:
    """Tokens of each name; words, where the backend has no tokenizer that says so."""
    if backend.text_tower is None:
        return [len(name.split()) for name in names]
    return [len(tokens) for tokens in backend.text_tower.tokenizer.encode(names)]


def offered_names(index: Index, name_ids: Sequence[int], seed: int) -> Int64:
    """Candidates that may be controls: none of them a subject's name; ids int64, ascending."""
    taken = set(name_ids)
    order = shuffled(seed, len(index), 0xC0)
    kept = [i for i in order[: OFFERED + len(taken)].tolist() if i not in taken]
    return np.array(sorted(kept[:OFFERED]), np.int64)


def names_against_controls(
    prepared: Prepared,
    backend: BackendPlugin,
    measured: Measured,
    seed: int,
    faces: EncodedFaces | None = None,
) -> ControlTests:
    """P-values of all subjects, from controls among the index's candidates.

    Args:
        prepared: subjects and candidates.
        backend: the model.
        measured: what the search found.
        seed: of the draws of controls and references.
        faces: reference faces; None: other subjects serve, if they are enough.
    """
    index, people = prepared.index, len(prepared.subjects)
    offered = offered_names(prepared.index, prepared.name_ids, seed)
    names = [subject.name for subject in prepared.subjects]
    names += [index.name(int(i)) for i in offered]
    tokens = token_counts(backend, names)
    traits = [name_traits(name, count) for name, count in zip(names, tokens, strict=True)]
    table = OfferedTraits.of(traits[people:])
    matched = [match_controls(own, table) for own in traits[:people]]
    scale = LogitScale.of(backend)
    sexes = [trait.sex for trait in traits[:people]]
    photos = photos_of(prepared.embeddings, prepared.owners, people)
    if faces is None:
        references = References.among(photos, sexes, seed)
    else:
        given = photos_of(faces.embeddings, faces.owners, len(faces.sexes))
        references = References.given(given, faces.sexes, sexes)
    sizes = np.diff(photos.offsets).tolist()
    trials = [references.trial(person, size) for person, size in enumerate(sizes)]
    scored = _scored(prepared, offered, photos, references.photos, scale.value)(trials)
    scores, control, fixed = np.zeros(people), np.ones(people), np.full(people, np.nan)
    compared, wins = np.zeros(people, np.int64), []
    for person, (match, found) in enumerate(zip(matched, scored, strict=True)):
        scores[person] = found.score
        control[person] = p_value(found.score, found.controls[match.places])
        tried = [found.name_fixed_p(group) for group in references.comparable(person)]
        compared[person] = min(others for _, others in tried)
        if compared[person] >= REFERENCE:
            fixed[person] = max(p for p, _ in tried)
        rivals = measured.rivals[:, measured.of(person)]
        wins.append(rule_wins(rivals, offered[match.places]).astype(np.int16))
    counts = np.array([len(match.places) for match in matched], np.int64)
    return ControlTests(
        scores=scores,
        control_p_values=control,
        name_fixed_p_values=fixed,
        references=compared,
        reference_photos=np.array([trial.photos for trial in trials], np.int64),
        counts=counts,
        offsets=np.concatenate(([0], np.cumsum(counts))).astype(np.int64),
        wins=np.concatenate(wins),
        calibrated=references.photos is not None,
        faces=None if faces is None else faces.summary,
        scale=scale,
        by=tuple(match.by for match in matched),
    )


def _scored(
    prepared: Prepared, offered: Int64, photos: Photos, references: Photos | None, scale: float
) -> Callable[[Sequence[Trial]], Iterator[Scored]]:
    """What gives each subject's scores, of how each is held against the references."""
    index, templates = prepared.index, range(len(prepared.index.templates))
    if not len(offered):  # a softmax takes something to compete with
        offered = np.unique(np.array(prepared.name_ids, np.int64))
    ids = np.array(prepared.name_ids, np.int64)
    scores = NameScores(
        np.stack([index.text_embeddings(template, offered) for template in templates]),
        references,
        scale,
    )
    return partial(
        scores.of, photos, lambda template, run: index.text_embeddings(template, ids[run])
    )


def blind_scores(prepared: Prepared, measured: Measured, seed: int) -> BlindScores:
    """Scores without a face under its own name; at least two subjects."""
    few = len(measured) <= MOST_SWAPPED
    images = mean_image_embeddings(prepared)
    texts = mean_text_embeddings(prepared.index, measured.name_ids)
    offered = offered_names(prepared.index, prepared.name_ids, seed)
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
        features=_features(prepared),
    )


def _features(prepared: Prepared) -> Float64:
    """Features of photos and of names' spelling that no model computes, float64 [P, F]."""
    names = [name_traits(s.name, len(s.name.split())) for s in prepared.subjects]
    spelling = [
        (len(s.name), trait.tokens, trait.frequency or 0.0, trait.origin is None, trait.sex == "f")
        for s, trait in zip(prepared.subjects, names, strict=True)
    ]
    photos = photo_features(prepared.subjects)
    return standardized(np.hstack((photos, np.array(spelling, np.float64))))


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
