"""What can be refused before a model is loaded."""

from __future__ import annotations

from collections.abc import Sequence

from idia_index.decide.decision import check_tau
from idia_index.evaluation.draws import check_images
from idia_index.search.index import Index
from idia_index.subjects.subjects import Subject


def check_threshold(index: Index, tau: int) -> None:
    """Raises InputError unless tau is one of an index's numbers of prompts."""
    check_tau(tau, len(index.templates))


def check_draws(subjects: Sequence[Subject]) -> None:
    """Raises InputError for a person with more images than an evaluation draws from."""
    for subject in subjects:
        check_images(subject.name, len(subject.images))
