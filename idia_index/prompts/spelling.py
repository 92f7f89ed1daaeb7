"""Whether a name is among the candidates, or nearly: by its letters, never by a face."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches

from idia_index.prompts.names import name_key

_MOST = 200_000  # pairs of names that are compared; more would take many seconds
_ALIKE = 0.84  # one letter of six, or two of thirteen
_SHOWN = 3


def misspelt(wanted: Sequence[str], candidates: Sequence[str]) -> dict[str, list[str]]:
    """The candidates nearest in spelling to each name that is not among them, if any is near.

    Of more names than can be compared in a few seconds, nothing is said.
    """
    keys = {name_key(each): each for each in candidates}
    missing = [name for name in wanted if name_key(name) not in keys]
    if len(missing) * len(keys) > _MOST:
        return {}
    near = {
        name: [keys[key] for key in get_close_matches(name_key(name), list(keys), _SHOWN, _ALIKE)]
        for name in missing
    }
    return {name: found for name, found in near.items() if found}


def spelling_text(name: str, near: Sequence[str], candidates: int) -> str:
    """What is said of one such name."""
    return (
        f"{name!r} is not among the model's {candidates:,} candidate names; nearly the same are: "
        f"{', '.join(map(repr, near))}"
    )
