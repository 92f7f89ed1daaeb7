"""Prepares subjects' images and names for a search, and turns its result into votes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from idia_index.decide.decision import decide
from idia_index.decide.results import (
    AuditVotes,
    BackendSummary,
    Prepared,
    SubjectVotes,
    rival_spellings,
)
from idia_index.decide.votes import count_votes
from idia_index.encode.backend import Backend
from idia_index.encode.image_cache import ImageCache
from idia_index.errors import InputError
from idia_index.photos.cautions import face_cautions
from idia_index.photos.crops import read_crop
from idia_index.photos.look import View
from idia_index.pipelines.whole_photos import remembered_whole, whole_verdicts
from idia_index.prompts.grid import PromptGrid
from idia_index.search.index import Index
from idia_index.subjects.candidates import near_names, with_candidates
from idia_index.subjects.subject_images import encode_subjects
from idia_index.subjects.subjects import Subject
from idia_index.subjects.usable import check_skipped, shared_photos, usable_subjects, with_images
from idia_index.support.text import labelled
from idia_index.types import CountProgress, Float32, Int64, quiet


def announce(
    index: Index, backend: Backend, subjects: Sequence[Subject], faces: Sequence[Subject] = ()
) -> None:
    """Announces to a hosted model the maximum requests for people and reference faces.

    Raises:
        RefusedError: it costs more than allowed, or may not be sent.
    """
    if not backend.hosted:
        return
    names = list(dict.fromkeys(subject.name for subject in subjects))
    found = index.find(names)
    missing = [name for name in names if name not in found]
    images = sum(len(person.images) for person in (*subjects, *faces))
    if missing:
        grid = PromptGrid(index.templates, missing)
        backend.announce(len(grid), images, grid.text_bytes())
    else:
        backend.announce(0, images, 0)


def prepare(
    index: Index,
    backend: Backend,
    subjects: Sequence[Subject],
    *,
    strict: bool = False,
    cached: bool = True,
    progress: CountProgress = quiet,
) -> Prepared:
    """Encodes an audit's images and missing names.

    Args:
        backend: the model, to encode the images and names missing from the index.
        cached: whether to use the index's image cache.

    Raises:
        InputError: the index is of another model, or nobody can be tested.
    """
    if not subjects:
        raise InputError("no subjects: pass at least one person")
    index = index.deciding_with(backend)
    usable = usable_subjects(index, backend, subjects)
    check_skipped(usable, strict)
    # A hosted backend caches its answers itself, and drops them if the model changed.
    folder = index.path if cached and not backend.hosted else None
    cache = ImageCache(folder, backend.fingerprint, f"{backend.name} on {backend.device}")
    encoded = encode_subjects(backend, usable, cache, strict, progress)
    seen = with_images(usable, encoded)
    check_skipped(seen, strict)
    names = [subject.name for subject in seen]
    candidates = with_candidates(index, backend, names)
    # A name that exists in another spelling is not misspelt.
    lacking = [name for name, there in zip(names, candidates.stored, strict=True) if not there]
    near = near_names(index, lacking)
    kept = np.unique(encoded.owners)
    whose = [labelled(usable[owner].name, usable[owner].person) for owner in encoded.owners]
    told = shared_photos(zip(whose, encoded.sha256, strict=True))
    faces = _of_faces(backend, seen.subjects)
    return Prepared(
        index=candidates.index,
        backend=replace(faces, cautions=(*faces.cautions, *told)),
        subjects=seen.subjects,
        name_ids=candidates.name_ids,
        in_index=candidates.stored,
        spellings=candidates.spellings,
        near_names=[near.get(name, ()) for name in names],
        embeddings=encoded.embeddings,
        owners=np.searchsorted(kept, encoded.owners),
        skipped=[subject.skipped for subject in seen],
        image_sha256=dict(zip(map(os.fsdecode, encoded.paths), encoded.sha256, strict=True)),
        skipped_people=seen.skipped,
        whole=remembered_whole(cache, encoded) if seen[0].crop and seen[0].crop.key else (),
    )


def cast_votes(
    prepared: Prepared, similarities: Float32, predictions: Int64, tau: int
) -> AuditVotes:
    """Votes and decisions from a search's result, float32 and int64 [T, M]."""
    results = []
    runs = _runs(prepared.owners, len(prepared.subjects))
    for number, (subject, mine) in enumerate(zip(prepared.subjects, runs, strict=True)):
        own, name_id = predictions[:, mine], prepared.name_ids[number]
        winners, counts, _ = count_votes(own)
        results.append(
            SubjectVotes(
                subject=subject,
                name_id=name_id,
                in_index=prepared.in_index[number],
                predictions=own,
                similarities=similarities[:, mine],
                winners=winners,
                counts=counts,
                decision=decide(winners, name_id, tau),
                skipped=prepared.skipped[number],
                spellings=prepared.spellings[number],
                rival_spellings=rival_spellings(prepared.index, own, name_id, subject.name),
                near_names=prepared.near_names[number],
            )
        )
    said = (*prepared.backend.cautions, *whole_verdicts(prepared, results, tau))
    backend = replace(prepared.backend, cautions=said)
    return AuditVotes(prepared.index, backend, tau, tuple(results), prepared.skipped_people)


def _of_faces(backend: Backend, subjects: Sequence[Subject]) -> BackendSummary:
    """The backend, the images' crop, and cautions about the faces in them."""
    crop = subjects[0].crop or read_crop("none")
    people = {labelled(subject.name, subject.person): subject.images for subject in subjects}
    view = View(backend.fit_image, backend.seen)
    cautions = face_cautions(people, view, crop)
    return replace(describe(backend), crop=crop.text, cautions=cautions)


def describe(backend: Backend) -> BackendSummary:
    """The record of a backend for documents."""
    return BackendSummary(
        backend.name,
        backend.model,
        backend.device,
        backend.fingerprint.precision,
        backend.service,
    )


def confirmed(votes: AuditVotes, backend: Backend, lead: Float32 | None = None) -> AuditVotes:
    """Votes of a hosted model that is confirmed unchanged, with a record of its requests.

    Args:
        lead: each prediction's lead over the next best name, [T, M], if known.

    Raises:
        ServiceError: the model changed.
    """
    backend.confirm()
    summary = replace(votes.backend, service=backend.service)
    if (asked := summary.service) is not None and asked.tolerance is not None and lead is not None:
        close = int((lead <= asked.tolerance).sum())
        summary = replace(summary, service=replace(asked, undecided=close))
    return replace(votes, backend=summary)


def _runs(owners: Int64, subjects: int) -> list[slice]:
    """Each subject's run of images, from ascending owners int64 [M]."""
    bounds = np.searchsorted(owners, np.arange(subjects + 1)).tolist()
    return [slice(start, stop) for start, stop in pairwise(bounds)]
