"""Candidates that may be a subject's own name under another spelling, and took votes from it."""

from __future__ import annotations

import numpy as np

from idia_index.decide.results import SearchedIndex
from idia_index.prompts.lint import other_spellings
from idia_index.types import Int64


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
