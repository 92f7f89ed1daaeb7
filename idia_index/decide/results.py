"""Votes and decisions of the subjects, as the stages after the search read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from idia_index.decide.decision import Decision
from idia_index.prompts.lint import other_spellings
from idia_index.prompts.templates import Template
from idia_index.search.index import Index
from idia_index.store.manifest import Manifest
from idia_index.subjects.subjects import Skipped, SkippedSubject, Subject
from idia_index.types import Float32, Int64, ServiceRecord


@dataclass(frozen=True)
class BackendSummary:
    """What documents state of a backend: what images were encoded with.

    Attributes:
        name: name of the backend.
        model: SPEC of the model.
        device: what it ran on.
        precision: what it computed in.
        service: what was asked of a service; null where nothing left the machine.
        crop: what was cut out of each image first, with detector and version; "none" for nothing.
        cautions: what must be said of the faces in the images, of a sample of each person.
    """

    name: str
    model: str
    device: str
    precision: str
    service: ServiceRecord | None = None
    crop: str = "none"
    cautions: tuple[str, ...] = ()


@dataclass(frozen=True)
class SubjectVotes:
    """What the model says of one subject.

    Attributes:
        subject: the person; `images` are those that were used.
        name_id: the id of the subject's name among the candidates.
        in_index: whether the name is one of the index's, or was encoded on the fly.
        predictions: name ids int64 [T, M].
        similarities: cosine similarity float32 [T, M] of each prediction.
        winners: name ids int64 [T]; -1 for a tie.
        counts: images that voted for the most frequent name, int64 [T].
        decision: correct prompts and what is inferred.
        skipped: files that were left out, and why.
        spellings: candidates that the model cannot tell from the name, and that were one with it.
        rival_spellings: predicted candidates that may be the name under another spelling.
        near_names: what the name may be misspelt from, by letters alone; None: not looked for.
    """

    subject: Subject
    name_id: int
    in_index: bool
    predictions: Int64
    similarities: Float32
    winners: Int64
    counts: Int64
    decision: Decision
    skipped: tuple[Skipped, ...]
    spellings: tuple[str, ...] = ()
    rival_spellings: tuple[str, ...] = ()
    near_names: tuple[str, ...] | None = ()


class SearchedIndex(Protocol):
    """What votes need of the index they came from; recorded votes have it without the index."""

    @property
    def path(self) -> Path: ...
    @property
    def manifest(self) -> Manifest: ...
    @property
    def templates(self) -> tuple[Template, ...]: ...
    def name(self, name_id: int) -> str:
        """The candidate name of an id."""

    def __len__(self) -> int: ...


@dataclass(frozen=True)
class AuditVotes:
    """The votes of several subjects.

    Attributes:
        index: the index as it was searched, with the names that were encoded on the fly.
        backend: the backend that encoded the images.
        tau: correct prompts from which a subject is inferred to be in the training data.
        subjects: the votes, in the order of the subjects.
        skipped: who could not be tested, and why.
    """

    index: SearchedIndex
    backend: BackendSummary
    tau: int
    subjects: tuple[SubjectVotes, ...]
    skipped: tuple[SkippedSubject, ...] = ()


@dataclass(frozen=True)
class Prepared:
    """Subjects whose images are encoded and whose names are candidates.

    Attributes:
        index: the index with every subject's name in it, in one spelling.
        backend: the backend that encoded the images.
        subjects: P people; `images` are those that could be read.
        skipped_people: who could not be prepared, and why.
        name_ids: id of each subject's name, [P].
        in_index: whether it is the index's own, or was encoded on the fly.
        spellings: candidates of the index that are the name to the model alone.
        near_names: candidates of the index that each name may be misspelt from; None: not asked.
        embeddings: float32 [M, D], unit rows, the images of a subject together.
        owners: int64 [M], the subject of each image, ascending.
        skipped: files of each subject that were left out.
        image_sha256: SHA-256 of each image file as it was when it was decoded, by its path.
        whole: of each subject, embeddings of the whole images where they were cropped and an
            earlier run encoded them whole, else None; empty where nothing was cropped.
    """

    index: Index
    backend: BackendSummary
    subjects: tuple[Subject, ...]
    name_ids: list[int]
    in_index: list[bool]
    spellings: list[tuple[str, ...]]
    near_names: list[tuple[str, ...] | None]
    embeddings: Float32
    owners: Int64
    skipped: list[tuple[Skipped, ...]]
    image_sha256: Mapping[str, str]
    skipped_people: tuple[SkippedSubject, ...] = ()
    whole: Sequence[Float32 | None] = ()


def rival_spellings(
    index: SearchedIndex, predictions: Int64, name_id: int, name: str
) -> tuple[str, ...]:
    """Predicted candidates that differ from a name in accents, hyphens, spaces and the like.

    Only names that were predicted are looked at, as no other took a vote, so that a query never
    reads all candidates. What the model does not tell from the name is not among them: it was
    made one candidate with it.

    Args:
        index: the index as it was searched.
        predictions: name ids int64 [T, M] of the subject's images.
        name_id: the id of the subject's name.
        name: the name as the subject has it.
    """
    ids = np.unique(predictions)
    others = [index.name(i) for i in ids[ids != name_id].tolist()]
    return tuple(other_spellings(others, name))
