"""The audit pipeline: subjects' images -> predictions -> votes -> decisions -> metrics."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from idia_index.decide.decision import check_tau, decide
from idia_index.decide.results import AuditResult, Prepared, SubjectResult
from idia_index.decide.votes import count_votes
from idia_index.encode.backend import Backend
from idia_index.encode.image_cache import ImageCache
from idia_index.errors import InputError
from idia_index.search.index import Index
from idia_index.subjects.candidates import with_candidates
from idia_index.subjects.subject_images import encode_subjects
from idia_index.subjects.subjects import Subject
from idia_index.subjects.usable import check_skipped, usable_subjects, with_images
from idia_index.types import Float32, Int64

SEARCH_BLOCK = 8192  # images searched at a time: bounds the predictions' memory, T x this

# (images done, images in all)
AuditProgress = Callable[[int, int], None]


def _quiet(done: int, total: int) -> None:
    """Progress of a caller that wants none."""


def audit(
    index: Index,
    backend: Backend,
    subjects: Sequence[Subject],
    *,
    tau: int = 1,
    strict: bool = False,
    progress: AuditProgress = _quiet,
) -> AuditResult:
    """Tests by protocol `jair2024` whether the model associates each subject's face and name.

    Args:
        index: an index of this model.
        backend: the model, to encode the images and names that the index lacks.
        subjects: the people under test, each name once.
        tau: correct prompts needed, 1 to T; the paper takes 1.
        strict: an image or a person that cannot be used is an error, not skipped.
        progress: called with images done and images in all.

    Raises:
        InputError: tau is out of range, the index is of another model, or nobody can be tested.
    """
    check_tau(tau, len(index.templates))
    prepared = prepare(index, backend, subjects, strict=strict, progress=progress)
    return conclude(prepared, *_search(prepared.index, prepared.embeddings), tau)


def prepare(
    index: Index,
    backend: Backend,
    subjects: Sequence[Subject],
    *,
    strict: bool = False,
    cached: bool = True,
    progress: AuditProgress = _quiet,
) -> Prepared:
    """Encodes what an audit searches with; arguments and errors as those of `audit`.

    With `cached` the index's own memory of images is asked and told.
    """
    index = index.deciding_with(backend)
    if not subjects:
        raise InputError("there is no subject: give at least one person")
    usable = usable_subjects(index, backend, subjects)
    check_skipped(usable, strict)
    folder = index.path if cached else None
    cache = ImageCache(folder, backend.fingerprint, f"{backend.name} on {backend.device}")
    encoded = encode_subjects(backend, usable, cache, strict, progress)
    seen = with_images(usable, encoded)
    check_skipped(seen, strict)
    candidates = with_candidates(index, backend, [subject.name for subject in seen])
    kept = np.unique(encoded.owners)
    return Prepared(
        index=candidates.index,
        backend=describe(backend),
        subjects=seen.subjects,
        name_ids=candidates.name_ids,
        in_index=candidates.stored,
        spellings=candidates.spellings,
        embeddings=encoded.embeddings,
        owners=np.searchsorted(kept, encoded.owners),
        skipped=[subject.skipped for subject in seen],
        image_sha256=dict(zip(map(os.fsdecode, encoded.paths), encoded.sha256, strict=True)),
        skipped_people=seen.skipped,
    )


def conclude(
    prepared: Prepared, similarities: Float32, predictions: Int64, tau: int
) -> AuditResult:
    """Votes and decisions of what was found, float32 and int64 [T, M]."""
    results = []
    runs = _runs(prepared.owners, len(prepared.subjects))
    for number, (subject, mine) in enumerate(zip(prepared.subjects, runs, strict=True)):
        winners, counts, _ = count_votes(predictions[:, mine])
        results.append(
            SubjectResult(
                subject=subject,
                name_id=prepared.name_ids[number],
                in_index=prepared.in_index[number],
                predictions=predictions[:, mine],
                similarities=similarities[:, mine],
                winners=winners,
                counts=counts,
                decision=decide(winners, prepared.name_ids[number], tau),
                skipped=prepared.skipped[number],
                spellings=prepared.spellings[number],
            )
        )
    skipped = prepared.skipped_people
    return AuditResult(prepared.index, prepared.backend, tau, tuple(results), skipped)


def describe(backend: Backend) -> dict[str, Any]:
    """What reports state of a backend."""
    return {
        "name": backend.name,
        "model": backend.model,
        "device": backend.device,
        "precision": backend.fingerprint.precision,
    }


def _runs(owners: Int64, subjects: int) -> list[slice]:
    """The images of each subject, of their owners int64 [M], rising."""
    bounds = np.searchsorted(owners, np.arange(subjects + 1)).tolist()
    return [slice(start, stop) for start, stop in pairwise(bounds)]


def _search(index: Index, queries: Float32) -> tuple[Float32, Int64]:
    """Similarities float32 [T, M] and predictions int64 [T, M]."""
    parts = [
        index.search(queries[start : start + SEARCH_BLOCK], k=1)
        for start in range(0, len(queries), SEARCH_BLOCK)
    ]
    return (
        np.concatenate([similarities[:, :, 0] for similarities, _ in parts], axis=1),
        np.concatenate([ids[:, :, 0] for _, ids in parts], axis=1),
    )
