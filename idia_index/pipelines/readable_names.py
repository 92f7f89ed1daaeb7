"""Runs work on a list of candidate names without those that the model cannot read."""

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
    """The result of `work` on the readable names, and why the others cannot be read.

    If `work` refuses a prompt, it is repeated without the names at fault. Only then are they
    searched for, since tokenizing millions of names takes as long as many builds.

    Args:
        work: takes the names.
        names: the candidates.
        templates: the templates to fill.
        refused: lines that are not names.
        strict: whether an unusable line or name is an error.

    Raises:
        InputError: something was left out, if `strict`, or as `work`.
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
