"""Lines of a CSV file -> cells, each line by itself."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from idia_index.support.text_lines import Lines


def table_rows(lines: Lines) -> Iterator[tuple[int, list[str]]]:
    """The line number and the cells of every line, the columns' names first.

    No cell runs over lines: names and paths hold no line breaks, and a stray quote would make a
    cell of all lines up to the next one.

    Raises:
        csv.Error: a line's quotes do not close on it; the message names the line.
    """
    for number, text in zip(lines.numbers, lines.texts, strict=True):
        try:
            cells = next(csv.reader([text], strict=True))
        except csv.Error as error:
            raise csv.Error(f"line {number}: {error}") from error
        yield number, cells
