"""Draws which folder imports which, from the code: writes docs/img/architecture.svg.

    python docs/make_drawing.py

An arrow points from a folder to one that it imports. What follows from other arrows is left out:
where cli imports pipelines and pipelines imports types, cli may import types as well.
"""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).parents[1]
SVG = ROOT / "docs" / "img" / "architecture.svg"
OUTSIDE = ("cli", "backends", "indexes")  # folders beside idia_index/
LEFT_OUT = ("__init__", "__main__", "_version", "testing")  # what nothing of the flow imports
WIDTH, HEIGHT, FLOOR = 272, 62, 92  # of a box; from one floor to the next
MARGIN = 90
STEP = 300  # from one column to the next
Graph = dict[str, set[str]]


def parts() -> dict[str, list[Path]]:
    """The files of each folder, and of each module that lies in none, by name."""
    found = {name: sorted((ROOT / name).rglob("*.py")) for name in OUTSIDE}
    for path in sorted((ROOT / "idia_index").iterdir()):
        if path.is_dir() and (path / "__init__.py").is_file():
            found[path.name] = sorted(path.rglob("*.py"))
        elif path.suffix == ".py" and path.stem not in LEFT_OUT:
            found[path.stem] = [path]
    return found


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imports() -> Graph:
    """What each part imports of the others."""
    files = parts()
    graph: Graph = {}
    for part, paths in files.items():
        found = [name.split(".") for path in paths for name in _imported(path)]
        names = {name[1] for name in found if name[0] == "idia_index" and len(name) > 1}
        graph[part] = (names & files.keys()) - {part}
    return graph


def reduced(graph: Graph) -> Graph:
    """The arrows that do not follow from others."""
    below = {part: _reach(graph, part) for part in graph}
    return {
        part: {to for to in graph[part] if not any(to in below[via] for via in graph[part])}
        for part in graph
    }


def _reach(graph: Graph, start: str) -> set[str]:
    found: set[str] = set()
    todo = list(graph[start])
    while todo:
        part = todo.pop()
        if part not in found:
            found.add(part)
            todo += graph[part]
    return found


def floors(graph: Graph) -> list[list[str]]:
    """The parts from the bottom up, each right above the highest that it imports."""
    height: dict[str, int] = {}

    def high(part: str) -> int:
        if part not in height:
            height[part] = 1 + max(map(high, graph[part]), default=-1)
        return height[part]

    rows: list[list[str]] = [[] for _ in range(1 + max(map(high, graph)))]
    for part in sorted(graph):
        rows[height[part]].append(part)
    return rows


def places(graph: Graph) -> dict[str, tuple[int, int]]:
    """Column and floor of each part; the longest chain of imports stands in the middle."""
    rows = floors(graph)
    found: dict[str, tuple[int, int]] = {}
    above = ""
    for floor in range(len(rows) - 1, -1, -1):
        row = rows[floor]
        middle = min(row, key=lambda part: (part not in graph.get(above, row), part))
        sides = [part for part in row if part != middle]
        found |= {part: (i and i + 1, floor) for i, part in enumerate(reversed(sides))}
        found[middle] = (1, floor)
        above = middle
    return found


def _left(column: int) -> int:
    return MARGIN + STEP * column


def _about(part: str) -> str:
    """The first sentence of a part's docstring."""
    path = parts()[part][0]
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.split("\n\n")[0].replace("\n", " ").replace("`", "").split(". ")[0].rstrip(".")


def _box(part: str, x: int, y: int) -> str:
    lines = textwrap.wrap(_about(part), 42, max_lines=2, placeholder=" ...")
    words = "".join(
        f'<text class="about" x="{x + 12}" y="{y + 38 + 15 * i}">{escape(line)}</text>'
        for i, line in enumerate(lines)
    )
    kind = "beside" if part in OUTSIDE else "core"
    return (
        f'<rect class="{kind}" x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}" rx="6"/>'
        f'<text class="name" x="{x + 12}" y="{y + 20}">{escape(part)}</text>{words}'
    )


def _arrow(start: tuple[int, int], end: tuple[int, int], top: int) -> str:
    """A line to the next floor; past other floors it runs beside the boxes, or behind them."""
    (from_column, from_floor), (to_column, to_floor) = start, end
    y, to_y = ((top - floor) * FLOOR + 20 for floor in (from_floor, to_floor))
    x, to_x = _left(from_column), _left(to_column)
    if from_floor - to_floor == 1 or from_column == 0 < to_column:
        x, to_x, y = x + WIDTH // 2, to_x + WIDTH // 2, y + HEIGHT
        return f'<path d="M{x} {y} L{to_x} {to_y - 2}" marker-end="url(#head)"/>'
    y, to_y = y + HEIGHT // 2, to_y + HEIGHT // 2
    if to_column >= 2:  # down the gap before the right column, or down the margin
        x, lane, to_x = (
            (x + WIDTH, to_x - 14, to_x)
            if from_column == 1
            else (x + WIDTH, x + WIDTH + MARGIN // 3, to_x + WIDTH)
        )
    else:  # down the left margin, arrows of higher floors farther out
        lane = MARGIN - MARGIN * (from_floor + 1) // (top + 2)
    return (
        f'<path d="M{x} {y} C{lane} {y} {lane} {y} {lane} {y + 30} L{lane} {to_y - 30} '
        f'C{lane} {to_y} {lane} {to_y} {to_x} {to_y}" marker-end="url(#head)"/>'
    )


def drawing() -> str:
    """The SVG: a box for each part, an arrow for each import that does not follow from others."""
    graph = reduced(imports())
    found = places(graph)
    top = max(floor for _, floor in found.values())
    arrows = [
        _arrow(found[part], found[to], top) for part in sorted(graph) for to in sorted(graph[part])
    ]
    boxes = [
        _box(part, _left(column), (top - floor) * FLOOR + 20)
        for part, (column, floor) in sorted(found.items())
    ]
    width = _left(max(column for column, _ in found.values())) + WIDTH + MARGIN
    height = top * FLOOR + HEIGHT + 40
    return "\n".join([STYLE.format(width=width, height=height), *arrows, *boxes, "</svg>", ""])


STYLE = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">
<title>Which part of idia-index imports which</title>
<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" \
orient="auto"><path class="head" d="M0 0 L8 4 L0 8 z"/></marker></defs>
<style>
svg {{ font-family: Helvetica, Arial, sans-serif; background: #fff }}
path {{ fill: none; stroke: #78909c; stroke-width: 1.5 }} .head {{ fill: #78909c; stroke: none }}
.core {{ fill: #e8f0fe; stroke: #3f6fb5 }} .beside {{ fill: #fff4e0; stroke: #c77f1a }}
.name {{ font-size: 15px; font-weight: bold; fill: #222 }} .about {{ font-size: 12px; fill: #444 }}
</style>"""


if __name__ == "__main__":
    SVG.write_text(drawing(), encoding="utf-8")
