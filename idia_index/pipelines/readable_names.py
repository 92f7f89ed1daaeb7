"""Candidate names without those that the model cannot read, for whoever works on a list of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from idia_index.encode.backend import Backend
from idia_index.encode.embeddings import unreadable_names
from idia_index.errors import InputError, UnreadableTextError
from idia_index.prompts.grid import PromptGrid
from idia_index.prompts.packed_names import NameList
from idia_index.prompts.templates import Template

T = TypeVar("T")


def with_readable_names(
    work: Callable[[NameList], T],
    backend: Backend,
    names: NameList,
    templates: Sequence[Template],
    refused: Sequence[str] = (),
    strict: bool = False,
) -> tuple[T, dict[int, str]]:
    """What `work` makes of the names that the model can read, and why it cannot read the others.

    Work that refuses a prompt is done again without the names at fault. They are looked for only
    then, since tokenising millions of names takes as long as many a build.

    Args:
        work: takes the names.
        names: the candidates.
        templates: the templates that they are put into.
        refused: lines that were no names.
        strict: whether a line or a name that cannot be used is an error.

    Raises:
        InputError: `strict` and something was left out, or as `work`.
    """
    if strict and refused:
        raise InputError(refused[0])
    try:
        return work(names), {}
    except UnreadableTextError:
        bad = {} if strict else unreadable_names(backend, PromptGrid(templates, names))
        if not bad or len(bad) == len(names):
            raise
        told = {place: f"{names.place(place)}: {reason}" for place, reason in bad.items()}
        return work(names.without(list(bad))), told
