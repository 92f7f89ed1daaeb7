"""The drawing of the architecture matches the code."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "docs"))
from make_drawing import SVG, drawing, floors, imports, reduced


@pytest.mark.slow
def test_the_drawing_shows_the_imports_of_today() -> None:
    assert SVG.read_text(encoding="utf-8") == drawing(), "run `make docs`, and commit the drawing"


@pytest.mark.slow
def test_nothing_imports_what_stands_above_it() -> None:
    graph = imports()
    height = {part: row for row, parts in enumerate(floors(graph)) for part in parts}
    assert height["errors"] == 0 and height["cli"] == max(height.values())
    for part, imported in graph.items():
        assert all(height[other] < height[part] for other in imported), part


def test_no_arrow_is_lost_that_follows_from_no_other() -> None:
    graph = {"a": {"b", "c", "d"}, "b": {"c"}, "c": {"d"}, "d": set(), "e": {"a", "d"}}
    assert reduced(graph) == {"a": {"b"}, "b": {"c"}, "c": {"d"}, "d": set(), "e": {"a"}}
