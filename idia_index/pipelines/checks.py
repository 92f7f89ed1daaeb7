"""Checks that need no model, to fail before one is loaded."""

from __future__ import annotations

from idia_index.decide.decision import check_tau
from idia_index.errors import InputError
from idia_index.evaluation.draws import check_images
from idia_index.search.index import Index
from idia_index.subjects.records import SkippedSubject, Subject, SubjectList
from idia_index.subjects.usable import check_skipped


def check_threshold(index: Index, tau: int) -> None:
    """Raises InputError unless tau is from 1 to the number of templates."""
    check_tau(tau, len(index.templates))


def check_people(people: SubjectList, *, strict: bool, drawn: bool) -> None:
    """Checks whether people can be tested.

    Args:
        people: as read.
        strict: whether an unusable person is an error.
        drawn: whether an evaluation will draw from their images.

    Raises:
        InputError: someone cannot be used, if `strict`; with `drawn`, as `drawable`.
    """
    check_skipped(people, strict)
    if drawn:
        drawable(people, strict)


def drawable(people: SubjectList, strict: bool) -> SubjectList:
    """The people whose images an evaluation can draw from; lists those with too many.

    Raises:
        InputError: someone has too many, if `strict`, or everyone has.
    """
    kept: list[Subject] = []
    crowded: list[SkippedSubject] = []
    for subject in people:
        try:
            check_images(subject.name, len(subject.images))
            kept.append(subject)
        except InputError as error:
            if strict:
                raise
            crowded.append(SkippedSubject(subject.name, str(error)))
    if crowded and not kept:
        raise InputError(crowded[0].reason)
    return SubjectList(tuple(kept), (*people.skipped, *crowded), people.notes)
