"""What a page says of a name that is nearly a candidate's."""

from __future__ import annotations

from idia_index.prompts.spelling import misspelt, spelling_text
from idia_index.search.open import open_index
from idia_index.serve.desk import Choice
from idia_index.study import candidates


def spelling_note(choice: Choice, name: str) -> str | None:
    """What a name that is not among the candidates may be misspelt from; None where all is well.

    Raises:
        IdiaIndexError: the index cannot be opened.
    """
    names = candidates() if choice.path is None else open_index(choice.path).names
    near = misspelt([name], names)
    if not near:
        return None
    return (
        f"{spelling_text(name, near[name], len(names))}. If it is misspelt, begin again with the "
        "right name; otherwise go on, and it will compete with them."
    )
