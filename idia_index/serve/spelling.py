"""Whether the name under test is among the candidates, or nearly: never by a face."""

from __future__ import annotations

from difflib import get_close_matches

from idia_index.prompts.names import name_key
from idia_index.search.open import open_index
from idia_index.serve.desk import Choice
from idia_index.study import candidates

_MOST = 50_000  # names that are compared; of more it would take seconds
_ALIKE = 0.84  # one letter of six, or two of thirteen


def spelling_note(choice: Choice, name: str) -> str | None:
    """What a name that is not among the candidates may be misspelt from; None where all is well.

    Raises:
        IdiaIndexError: the index cannot be opened.
    """
    names = candidates() if choice.path is None else open_index(choice.path).names
    if len(names) > _MOST:
        return None
    keys = {name_key(each): each for each in names}
    if name_key(name) in keys:
        return None
    close = [keys[key] for key in get_close_matches(name_key(name), list(keys), 3, _ALIKE)]
    if not close:
        return None
    return (
        f"{name!r} is not among the model's {len(names):,} candidate names; nearly the same are: "
        f"{', '.join(map(repr, close))}. If it is misspelt, begin again with the right name; "
        "otherwise go on, and it will compete with them."
    )
