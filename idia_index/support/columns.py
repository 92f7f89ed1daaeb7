"""Text in columns, as terminals show it."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence

from idia_index.support.text import printable


def width(text: str) -> int:
    """Columns that a terminal takes for a text: two for a wide character, none for a mark."""
    return sum(
        0
        if unicodedata.category(c) in ("Mn", "Me", "Cf")
        else 1 + (unicodedata.east_asian_width(c) in "WF")
        for c in printable(text)
    )


def _left(text: str, columns: int) -> str:
    return text + " " * (columns - width(text))


def _right(text: str, columns: int) -> str:
    return " " * (columns - width(text)) + text


def pairs(rows: Mapping[str, str], indent: int = 0) -> str:
    """Lines of name and value, the values aligned."""
    columns = max(map(width, rows), default=0)
    return "\n".join(f"{'':{indent}}{_left(name, columns)}  {rows[name]}" for name in rows)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as their widest cell; all but the first to the right."""
    widths = [max(map(width, column)) for column in zip(head, *rows, strict=True)]
    lines = []
    for row in (head, ["-" * columns for columns in widths], *rows):
        cells = [_left(row[0], widths[0])]
        cells += [_right(cell, w) for cell, w in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def bullets(items: Sequence[str]) -> str:
    """A line for each note."""
    return "\n".join(f"- {item}" for item in items)
