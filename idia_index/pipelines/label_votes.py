"""The attack with labels alone: an image and the prompts in, the chosen label out.

Each image is one question per template; the chosen names are the predictions, from which votes
and decisions follow as in every audit. Similarities are unknown, and so is everything that needs
them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from idia_index.decide.decision import check_tau, decide
from idia_index.decide.results import AuditVotes, BackendSummary, SubjectVotes, rival_spellings
from idia_index.decide.votes import count_votes
from idia_index.encode.image_bytes import ImageFile
from idia_index.errors import InputError
from idia_index.evaluation.label_controls import NOT_AVAILABLE
from idia_index.pipelines.label_questions import Asker
from idia_index.pipelines.pricing import label_requests
from idia_index.plugins.labeler import LabelerPlugin, Questions
from idia_index.prompts.grid import PromptGrid
from idia_index.search.index import Index
from idia_index.subjects.candidates import near_names
from idia_index.subjects.records import (
    Skipped,
    SkippedSubject,
    Subject,
    SubjectList,
    skipped_people,
)
from idia_index.subjects.subject_images import RepeatedImageError
from idia_index.subjects.usable import check_skipped, shared_photos
from idia_index.support.text import labelled
from idia_index.types import CountProgress, Int64, quiet


@dataclass(frozen=True)
class Answered:
    """The votes of some people.

    Attributes:
        index: the index, with the names that were not among its candidates.
        votes: the votes.
        rivals: for each person, name ids int64 [T, M]: the choice without the true name; -1 if
            not asked.
        image_sha256: SHA-256 of each image file, by its path.
    """

    index: Index
    votes: AuditVotes
    rivals: list[Int64]
    image_sha256: Mapping[str, str]


def ask_labels(
    index: Index,
    labeler: LabelerPlugin,
    subjects: Sequence[Subject],
    *,
    tau: int = 1,
    strict: bool = False,
    rivals: bool = False,
    progress: CountProgress = quiet,
) -> Answered:
    """Tests people by protocol `jair2024`, from labels alone.

    Args:
        index: a label index of this labeler.
        subjects: the people under test; names that are not candidates compete with them too.
        rivals: whether to repeat the question without the true name if it was chosen.

    Raises:
        InputError: tau is out of range, or nobody can be tested.
        ServiceError: no valid answer from the service; earlier answers are kept.
    """
    check_tau(tau, len(index.templates))
    names = [subject.name for subject in subjects]
    found = index.find(names)
    missing = [name for name in dict.fromkeys(names) if name not in found]
    ones = np.ones((len(index.templates), len(missing), 1), np.float32)
    view = index.with_names(missing, ones) if missing else index
    ids = view.find(names)
    total = sum(len(subject.images) for subject in subjects)
    asker = Asker(view, labeler)
    labeler.announce(_questions(view, labeler, total, asker.kept, 1 + rivals))
    results: list[SubjectVotes] = []
    others: list[Int64] = []
    skipped, done = list(skipped_people(subjects)), 0
    sha256: dict[str, str] = {}
    for subject in subjects:
        seen = _Seen(subject, strict, ids[subject.name] if rivals else None)
        for path in subject.images:
            seen.look(asker, path)
            done += 1
            progress(done, total)
        if not seen.answers:
            reason = f"{subject.name!r} has no image that can be read, of {len(subject.images)}"
            skipped.append(SkippedSubject(subject.name, f"{reason}; {seen.skipped[0].reason}"))
            continue
        results.append(_votes(view, seen, ids[subject.name], tau, subject.name in found))
        others.append(np.stack(seen.rivals, axis=1))
        sha256 |= seen.sha256
    check_skipped(SubjectList(tuple(r.subject for r in results), tuple(skipped)), strict)
    crop = subjects[0].crop
    photos = (
        (labelled(each.subject.name, each.subject.person), sha256[os.fsdecode(path)])
        for each in results
        for path in each.subject.images
    )
    summary = BackendSummary(
        labeler.name, labeler.model, labeler.device, "labels alone", labeler.service,
        crop="none" if crop is None else crop.text,
        cautions=(*_cautions(labeler, len(view)), *shared_photos(photos)),
    )  # fmt: skip
    near = near_names(index, [each.subject.name for each in results])
    told = tuple(replace(each, near_names=near[each.subject.name]) for each in results)
    votes = AuditVotes(view, summary, tau, told, tuple(skipped))
    return Answered(view, votes, others, sha256)


def _questions(
    index: Index, labeler: LabelerPlugin, images: int, kept: int, times: int
) -> Questions:
    calls, labels = label_requests(len(index), labeler.most_labels)
    grid = PromptGrid(index.templates, index.names)
    asked = images * len(index.templates) * times
    sent = images * grid.text_bytes() * times * labels // len(index)
    return Questions(asked * calls, asked * labels, sent, images, kept)


def _cautions(labeler: LabelerPlugin, candidates: int) -> tuple[str, ...]:
    if labeler.most_labels is None or candidates <= labeler.most_labels:
        return (NOT_AVAILABLE,)
    runs = (
        f"The service takes at most {labeler.most_labels} labels per question, so names were "
        "asked in runs, then the runs' winners. The result can differ from a single question."
    )
    return (NOT_AVAILABLE, runs)


def _votes(index: Index, seen: _Seen, name_id: int, tau: int, stored: bool) -> SubjectVotes:
    predictions = np.stack(list(seen.answers.values()), axis=1)
    winners, counts, _ = count_votes(predictions)
    left_out = (*seen.subject.skipped, *seen.skipped)
    subject = replace(seen.subject, images=tuple(seen.answers), skipped=left_out)
    return SubjectVotes(
        subject=subject,
        name_id=name_id,
        in_index=stored,
        predictions=predictions,
        similarities=np.full(predictions.shape, np.nan, np.float32),
        winners=winners,
        counts=counts,
        decision=decide(winners, name_id, tau),
        skipped=left_out,
        rival_spellings=rival_spellings(index, predictions, name_id, subject.name),
    )


@dataclass
class _Seen:
    """The answers about one person's images.

    Attributes:
        subject: the person.
        strict: whether an unusable image is an error.
        without: the id of the true name, to also ask without it.
        answers: the predictions by image, int64 [T].
        rivals: the choices without the true name by image, int64 [T]; -1 if not asked.
        sha256: hashes of the used images, by path.
        skipped: the images left out.
    """

    subject: Subject
    strict: bool
    without: int | None
    answers: dict[ImageFile, Int64] = field(default_factory=dict)
    rivals: list[Int64] = field(default_factory=list)
    sha256: dict[str, str] = field(default_factory=dict)
    skipped: list[Skipped] = field(default_factory=list)
    _first: dict[str, ImageFile] = field(default_factory=dict)

    def look(self, asker: Asker, path: ImageFile) -> None:
        """Asks about an image; raises InputError if it cannot be used and `strict`."""
        try:
            question = asker.about(path, self.subject.crop, self.without)
            # Two copies of one person's photo are one vote.
            if (first := self._first.setdefault(question.sha256, path)) is not path:
                raise RepeatedImageError(path, first)
        except InputError as error:
            if self.strict and not isinstance(error, RepeatedImageError):
                raise
            self.skipped.append(Skipped(path, str(error)))
            return
        self.answers[path] = chosen = question.predictions()
        asked = self.without is not None
        self.rivals.append(question.rivals() if asked else np.full_like(chosen, -1))
        self.sha256[os.fsdecode(path)] = question.sha256
