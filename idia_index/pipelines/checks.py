"""What can be refused before a model is loaded."""

from __future__ import annotations

from idia_index.decide.decision import check_tau
from idia_index.evaluation.draws import check_images
from idia_index.search.index import Index
from idia_index.subjects.subjects import SubjectList
from idia_index.subjects.usable import check_skipped


def check_threshold(index: Index, tau: int) -> None:
    """Raises InputError unless tau is one of an index's numbers of prompts."""
    check_tau(tau, len(index.templates))


def check_people(people: SubjectList, *, strict: bool, drawn: bool) -> None:
    """Asks whether people can be tested.

    Args:
        people: as they were read.
        strict: whether somebody who cannot be used is an error.
        drawn: whether an evaluation will draw from their images.

    Raises:
        InputError: `strict` and somebody cannot be used, or `drawn` and somebody has more images
            than an evaluation draws from.
    """
    check_skipped(people, strict)
    for subject in people if drawn else ():
        check_images(subject.name, len(subject.images))
