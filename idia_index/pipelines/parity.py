"""The parity pipeline: compares two backends of one model on the same names and images.

It compares stage by stage: tokens, embeddings, predictions, winners, decisions, to show whether a
difference in one stage matters in the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from idia_index.decide.decision import Decision, check_tau, decide
from idia_index.decide.votes import majority_vote
from idia_index.encode import embeddings
from idia_index.encode.backend import Backend
from idia_index.encode.image_cache import ImageCache
from idia_index.errors import InputError, ModelError
from idia_index.pipelines.parity_report import (
    Closeness,
    Compared,
    Count,
    Flip,
    ParityReport,
)
from idia_index.prompts.grid import PromptGrid
from idia_index.prompts.names import name_key
from idia_index.prompts.templates import Template
from idia_index.subjects.identity import alike_pairs, check_distinct, close, each_once
from idia_index.subjects.subject_images import encode_subjects
from idia_index.subjects.subjects import Skipped, SkippedSubject, Subject
from idia_index.support.text import shown
from idia_index.types import Float32, Int64, StageProgress, quiet

NAMES_AT_A_TIME = 1000


def compare(
    first: Backend,
    second: Backend,
    names: Sequence[str],
    templates: Sequence[Template],
    subjects: Sequence[Subject],
    *,
    tau: int = 1,
    strict: bool = False,
    progress: StageProgress = quiet,
) -> ParityReport:
    """Runs two backends of one model over the same inputs.

    Args:
        first: the backend to trust, open_clip's.
        second: the backend to check.
        names: N candidate names; missing names of subjects are added.
        templates: T templates.
        subjects: the people under test, with M images in all.
        strict: an image or a subject that cannot be read is an error, not skipped.

    Raises:
        InputError: the backends hold different models, tau is out of range, or no subject
            has an image that can be read.
    """
    pair = (first, second)
    check_tau(tau, len(templates))
    if not subjects:
        raise InputError("no subjects: pass at least one person")
    if different := first.fingerprint.differences(second.fingerprint):
        raise ModelError(
            f"the two are different models ({'; '.join(different)}); compare a model with its "
            "own export"
        )
    candidates, ids = _candidates(first, names, templates, subjects)
    images = _encode_images(pair, subjects, strict, progress)
    grid = PromptGrid(templates, candidates)
    texts = _Texts(grid, images.rows)
    for start in range(0, len(candidates), NAMES_AT_A_TIME):
        texts.add(pair, start, min(start + NAMES_AT_A_TIME, len(candidates)))
        progress("names", min(start + NAMES_AT_A_TIME, len(candidates)), len(candidates))
    return _report(pair, subjects, (ids, images, texts), tau)


def _candidates(
    first: Backend, names: Sequence[str], templates: Sequence[Template], subjects: Sequence[Subject]
) -> tuple[list[str], list[int]]:
    """All candidate names, distinct to the model, and the ids of the subjects' names."""
    keys = {subject.name: name_key(subject.name) for subject in subjects}
    people = list(keys)
    rows = embeddings.encode_texts(first, [templates[0].fill(name) for name in people])
    check_distinct(first, templates, people, rows)
    places: dict[str, int] = {}
    others: dict[str, set[int]] = {name: set() for name in people}
    for start in range(0, len(names), NAMES_AT_A_TIME):
        run = names[start : start + NAMES_AT_A_TIME]
        for place, name in enumerate(run, start):
            places.setdefault(name_key(name), place)
        theirs = embeddings.encode_texts(first, [templates[0].fill(name) for name in run])
        pairs = {(people[j], run[i]): start + i for i, j in close(theirs, rows)}
        for pair in alike_pairs(first, templates, list(pairs)):
            others[pair[0]].add(pairs[pair])
    found = {name: places[key] for name, key in keys.items() if key in places}
    for name, place in found.items():
        others[name] -= {place}
    once = each_once(len(names), found, others)
    gone = set(once.gone.tolist())
    left = [name for place, name in enumerate(names) if place not in gone]
    return left + once.missing, [once.name_ids[subject.name] for subject in subjects]


@dataclass
class _Images:
    """Image embeddings [M, D] of both backends, and the subject [M] of each."""

    rows: tuple[Float32, Float32]
    owners: Int64
    closeness: Closeness
    skipped: list[Skipped]
    missing: dict[int, SkippedSubject]


def _encode_images(
    pair: tuple[Backend, Backend],
    subjects: Sequence[Subject],
    strict: bool,
    progress: StageProgress,
) -> _Images:
    """Both backends' embeddings of the images that both can read."""
    caches = [ImageCache(None, backend.fingerprint, "") for backend in pair]
    total = sum(len(subject.images) for subject in subjects)
    owners: list[int] = []
    skipped: list[Skipped] = []
    missing: dict[int, SkippedSubject] = {}
    parts: tuple[list[Float32], list[Float32]] = ([], [])
    done = 0
    for number, subject in enumerate(subjects):
        a, b = (
            encode_subjects(backend, [subject], cache, strict)
            for backend, cache in zip(pair, caches, strict=True)
        )
        _, mine, theirs = np.intersect1d(a.places, b.places, return_indices=True)
        if not len(mine):
            first = next((s.reason for s in (*a.skipped[0], *b.skipped[0])), "none is named")
            told = (
                f"{shown(subject.name)} has no image that can be read by both backends, of "
                f"{len(subject.images)}; the first: {first}"
            )
            if strict or len(missing) + 1 == len(subjects):
                raise InputError(told)
            missing[number] = SkippedSubject(subject.name, told)
        parts[0].append(a.embeddings[mine])
        parts[1].append(b.embeddings[theirs])
        owners += [number] * len(mine)
        left_out = {s.path: s for s in (*subject.skipped, *a.skipped[0], *b.skipped[0])}
        skipped += left_out.values()
        done += len(subject.images)
        progress("images", done, total)
    rows = (np.concatenate(parts[0]), np.concatenate(parts[1]))
    closeness = Closeness()
    closeness.add(*rows)
    return _Images(rows, np.array(owners, np.int64), closeness, skipped, missing)


@dataclass
class _Best:
    """The most similar name so far, for each template and image.

    Attributes:
        similarities, ids: float32 and int64 [T, M].
    """

    similarities: Float32
    ids: Int64

    @classmethod
    def none(cls, templates: int, images: int) -> _Best:
        shape = (templates, images)
        return cls(np.full(shape, -np.inf, np.float32), np.full(shape, -1, np.int64))

    def add(self, texts: Float32, images: Float32, first: int) -> None:
        """Adds texts float32 [T, n, D], with name ids from `first`."""
        for t, rows in enumerate(texts):
            scores = images @ rows.T
            # Ties go to the lowest id, here and between runs.
            place = scores.argmax(axis=1)
            score = scores[np.arange(len(images)), place]
            better = score > self.similarities[t]
            self.similarities[t, better] = score[better]
            self.ids[t, better] = first + place[better]


@dataclass
class _Texts:
    """Statistics over runs of names, whose embeddings are not kept."""

    grid: PromptGrid
    images: tuple[Float32, Float32]
    closeness: Closeness = field(default_factory=Closeness)
    tokens_differ: int | None = 0

    def __post_init__(self) -> None:
        shape = (len(self.grid.templates), len(self.images[0]))
        self.best = (_Best.none(*shape), _Best.none(*shape))

    def add(self, pair: tuple[Backend, Backend], start: int, stop: int) -> None:
        """Adds the names `start` to `stop`."""
        self._add_tokens(pair, slice(start, stop))
        rows = tuple(embeddings.encode_grid(b, self.grid, start, stop) for b in pair)
        self.closeness.add(rows[0], rows[1])
        for best, texts, images in zip(self.best, rows, self.images, strict=True):
            best.add(texts, images, start)

    def _add_tokens(self, pair: tuple[Backend, Backend], names: slice) -> None:
        towers = [backend.text_tower for backend in pair]
        if self.tokens_differ is None or None in towers:
            self.tokens_differ = None
            return
        for template in range(len(self.grid.templates)):
            texts = self.grid.texts(template, names)
            a, b = (tower.tokenizer.encode(texts) for tower in towers if tower is not None)
            self.tokens_differ += sum(x != y for x, y in zip(a, b, strict=True))


def _report(
    pair: tuple[Backend, Backend],
    subjects: Sequence[Subject],
    found: tuple[list[int], _Images, _Texts],
    tau: int,
) -> ParityReport:
    ids, images, texts = found
    a, b = (best.ids for best in texts.best)
    winners_differ = 0
    decisions: list[tuple[Subject, tuple[Decision, Decision]]] = []
    for number, (subject, name_id) in enumerate(zip(subjects, ids, strict=True)):
        if number in images.missing:
            continue
        mine = images.owners == number
        winners = majority_vote(a[:, mine]), majority_vote(b[:, mine])
        winners_differ += int((winners[0] != winners[1]).sum())
        decided = decide(winners[0], name_id, tau), decide(winners[1], name_id, tau)
        decisions.append((subject, decided))
    flips = tuple(
        Flip(subject.name, (x.correct_prompts, y.correct_prompts))
        for subject, (x, y) in decisions
        if x.inferred_member != y.inferred_member
    )
    prompts, differ = len(texts.grid), texts.tokens_differ
    return ParityReport(
        format="idia-index/parity/1",
        backends=(_described(pair[0]), _described(pair[1])),
        tau=tau,
        tokens=None if differ is None else Count(prompts, differ),
        text_embeddings=texts.closeness,
        image_embeddings=images.closeness,
        predictions=Count(a.size, int((a != b).sum())),
        winners=Count(len(decisions) * len(a), winners_differ),
        decisions=Count(len(decisions), len(flips)),
        flips=flips,
        skipped=tuple(images.skipped),
        skipped_people=tuple(images.missing.values()),
    )


def _described(backend: Backend) -> Compared:
    return Compared(backend.name, backend.device, backend.fingerprint.precision)
