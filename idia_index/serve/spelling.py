"""Names that are nearly candidates."""

from __future__ import annotations

from collections.abc import Sequence

from idia_index.prompts.spelling import misspelt
from idia_index.search.open import open_index
from idia_index.serve.desk import Choice
from idia_index.study import candidates
from idia_index.subjects.candidates import near_names


def nearly(choice: Choice, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """What those of the names that are no candidates may be misspelt from.

    Raises:
        IdiaIndexError: the index cannot be opened.
    """
    if choice.path is None:
        return misspelt(names, candidates()) or {}
    found = near_names(open_index(choice.path), names)
    return {name: near for name, near in found.items() if near}
