"""The grid of prompts: the right text at every index, built only on access."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idia_index.errors import InputError
from idia_index.prompts.grid import PromptGrid
from idia_index.prompts.names import make_names
from idia_index.prompts.templates import make_templates

TEMPLATES = make_templates(["{0}", "a photo of {0}", "{name} at a gala"])


@given(st.integers(1, 20), st.integers(1, 25))
def test_agrees_with_format(count: int, size: int) -> None:
    names = [f"Name {i}" for i in range(count)]
    wanted = [[t.text.format(name, name=name) for name in names] for t in TEMPLATES]
    for grid in (PromptGrid(TEMPLATES, names), PromptGrid(TEMPLATES, make_names(names))):
        assert len(grid) == 3 * count
        assert [grid.texts(t) for t in range(3)] == wanted
        assert [[grid.text(t, n) for n in range(count)] for t in range(3)] == wanted
        runs = list(grid.runs(size))
        assert [n for run in runs for n in range(count)[run]] == list(range(count))
        assert all(len(range(count)[run]) == size for run in runs[:-1])
        rows = [list(chain.from_iterable(grid.texts(t, run) for run in runs)) for t in range(3)]
        assert rows == wanted


class _Huge(Sequence[str]):
    """A thousand million names, none of which exists before it is asked for."""

    def __len__(self) -> int:
        return 10**9

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [f"Name {i}" for i in range(*index.indices(len(self)))]
        return f"Name {index}"


def test_nothing_is_made_ahead() -> None:
    grid = PromptGrid(TEMPLATES, _Huge())
    assert len(grid) == 3 * 10**9
    assert grid.text(1, 10**9 - 1) == "a photo of Name 999999999"
    assert next(grid.runs(1000)) == slice(0, 1000)
    assert grid.texts(2, slice(5, 7)) == ["Name 5 at a gala", "Name 6 at a gala"]


def test_what_is_refused() -> None:
    with pytest.raises(InputError, match="no template"):
        PromptGrid((), ["Ann"])
    with pytest.raises(InputError, match="no candidate names: pass"):
        PromptGrid(TEMPLATES, [])
