"""Selects the subjects with a name that the model can read and a photo that it can see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from idia_index.encode.backend import Backend
from idia_index.encode.embeddings import unreadable_names
from idia_index.errors import InputError
from idia_index.prompts.grid import PromptGrid
from idia_index.search.index import Index
from idia_index.subjects.candidates import alike_names
from idia_index.subjects.records import SkippedSubject, Subject, SubjectList, skipped_people
from idia_index.subjects.subject_images import Encoded
from idia_index.support.text import counted, shown

_NAMED = 3


def usable_subjects(index: Index, backend: Backend, subjects: Sequence[Subject]) -> SubjectList:
    """The subjects with names that the model can read and distinguish; the others, and why."""
    names = list(dict.fromkeys(subject.name for subject in subjects))
    known = index.find(names)  # names that the model could read
    others = [name for name in names if name not in known]
    grid = PromptGrid(index.templates, others) if others else None
    unread = {} if grid is None else unreadable_names(backend, grid)
    reasons = {others[place]: told for place, told in unread.items()}
    readable = [name for name in names if name not in reasons]
    for later, first in alike_names(index, backend, readable).items():
        reasons[later] = (
            f"{shown(later)} and {shown(first)} are the same name to the model; merge them or "
            "rename one"
        )
    kept: list[Subject] = []
    skipped = list(skipped_people(subjects))
    seen: dict[str, Subject] = {}
    for subject in subjects:
        reason = reasons.get(subject.name, "")
        twice = seen.setdefault(subject.name, subject)
        if not reason and twice is not subject and subject.person is None:
            reason = f"{shown(subject.name)} is listed twice; merge the photos"
        if reason:
            skipped.append(SkippedSubject(subject.name, reason))
        else:
            kept.append(subject)
    return SubjectList(tuple(kept), tuple(skipped))


def with_images(subjects: SubjectList, encoded: Encoded) -> SubjectList:
    """The subjects with encoded images, and those images; the others, and why."""
    kept: list[Subject] = []
    skipped = list(subjects.skipped)
    bounds = np.searchsorted(encoded.owners, np.arange(len(subjects) + 1)).tolist()
    for subject, (start, stop), unread in zip(
        subjects, pairwise(bounds), encoded.skipped, strict=True
    ):
        if start < stop:
            images = tuple(encoded.paths[start:stop])
            left_out = (*subject.skipped, *unread)
            kept.append(replace(subject, images=images, skipped=left_out))
            continue
        reason = (
            f"{shown(subject.name)} has no image that can be read, of {len(subject.images)}; "
            f"the first: {unread[0].reason}"
        )
        skipped.append(SkippedSubject(subject.name, reason))
    return SubjectList(tuple(kept), tuple(skipped))


def check_skipped(subjects: SubjectList, strict: bool) -> None:
    """Raises InputError if nobody is left, or, if `strict`, if anybody was left out."""
    if not subjects.skipped or (subjects.subjects and not strict):
        return
    first, *others = subjects.skipped
    more = f" (and {counted(len(others), 'person', 'people')} more)" if others else ""
    raise InputError(f"{first.reason}{more}")


def _listed(people: Sequence[str]) -> str:
    """Names of people, and how many more there are."""
    named = [shown(name) for name in people[:_NAMED]]
    if rest := len(people) - len(named):
        named.append(counted(rest, "other person", "others"))
    return f"{', '.join(named[:-1])} and {named[-1]}"


def shared_photos(photos: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """A sentence about photos in several people's folders; nothing if there are none.

    Args:
        photos: the person and SHA-256 of each photo.
    """
    people: dict[str, dict[str, None]] = {}
    for person, sha256 in photos:
        people.setdefault(sha256, {})[person] = None
    between = Counter(tuple(sorted(whose)) for whose in people.values() if len(whose) > 1)
    if not between:
        return ()
    named = "; ".join(
        f"{count:,} with {_listed(whose)}" for whose, count in between.most_common(_NAMED)
    )
    more = f"; and of {len(between) - _NAMED:,} more groups" if len(between) > _NAMED else ""
    return (
        f"{counted(between.total(), 'photo')} with the same bytes in the folders of several "
        f"people, counted for each: {named}{more}. Photos of other people hide members: keep each "
        "only with the person it shows.",
    )
