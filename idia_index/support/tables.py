"""The one reader of tables: what spreadsheets and programs call CSV, told by its header.

A table is told by columns that are known. Its separator, quotes and encoding are found out from
the header, its columns are found whatever their case and order, and one note says what was read.
"""

from __future__ import annotations

import csv
import os
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product

from idia_index.errors import InputError
from idia_index.support.encodings import Encoding
from idia_index.support.text import counted, shown, shown_path
from idia_index.support.text_lines import Lines, Refuse, read_lines

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
MOST_BEFORE = 6  # lines in which the columns are looked for: titles may stand above them
_SEP = re.compile(r"\"?sep=(.)\"?", re.I)

# A column's name here, and what else people call it.
Columns = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        place: the file and the line, for messages.
        line: the line's number.
        cells: the text of each known column that the table has, without white space around it.
        problem: why the row cannot be used, naming the place; empty where it can.
    """

    place: str
    line: int
    cells: Mapping[str, str]
    problem: str = ""

    def get(self, column: str) -> str:
        """The text of a column, empty if the table does not have it."""
        return self.cells.get(column, "")


@dataclass(frozen=True)
class Dialect:
    """How a table is written.

    Attributes:
        separator: what stands between cells.
        header: its columns by their known names, "" for any other.
        before: lines before the rows.
        above: lines before that of the columns, but for one that names the separator.
        renamed: known columns that it calls otherwise: what it says, and which column that is.
        others: names of columns that are not known.
    """

    separator: str
    header: tuple[str, ...]
    before: int
    above: int = 0
    renamed: tuple[tuple[str, str], ...] = ()
    others: tuple[str, ...] = ()

    @property
    def columns(self) -> frozenset[str]:
        """The known columns that the table has."""
        return frozenset(column for column in self.header if column)


@dataclass(frozen=True)
class Table:
    """A table whose header was understood.

    Attributes:
        source: the file, for messages.
        dialect: how it is written.
        lines: all lines that are not blank.
    """

    source: str
    dialect: Dialect
    lines: Lines

    @property
    def columns(self) -> frozenset[str]:
        """The known columns that it has."""
        return self.dialect.columns

    def note(self) -> str:
        """How it was read, in one line."""
        encoding = self.lines.encoding
        example = f" ({encoding.example})" if encoding.example else ""
        mark = " with a byte order mark" if encoding.skipped else ""
        columns = "".join(f"; {shown(told)} is {known}" for told, known in self.dialect.renamed)
        above = self.dialect.above
        titles = f"; {counted(above, 'line')} above the columns passed over" if above else ""
        return (
            f"{self.source}: read as a table with {SEPARATORS[self.dialect.separator]} between "
            f"columns, in {encoding.name}{mark}{example}{columns}{titles}"
        )

    @property
    def is_plain(self) -> bool:
        """Whether it is written as CSV is: commas, UTF-8, columns by their names."""
        encoding = self.lines.encoding
        plain = encoding.name == "UTF-8" and not encoding.skipped
        dialect = self.dialect
        return plain and dialect.separator == "," and not dialect.renamed and not dialect.above

    def rows(self) -> Iterator[Row]:
        """The rows that are not blank, in order."""
        for text, number in islice(
            zip(self.lines.texts, self.lines.numbers, strict=True), self.dialect.before, None
        ):
            place = f"{self.source}, line {number}"
            try:
                if text.count('"') % 2:
                    raise csv.Error("one of them is alone")
                cells = cells_of(text, self.dialect.separator)
            except csv.Error as error:
                # No cell runs over lines: a stray quote would make one of all lines up to the next.
                problem = (
                    f"{place}: its quotes do not close on it ({error}); check them, and write each "
                    "row on one line, without line breaks in cells"
                )
                yield Row(place, number, {}, problem)
                continue
            if any(cell.strip("-:") for cell in cells):  # Markdown rules a line below its columns
                yield self._row(place, number, cells)

    def _row(self, place: str, number: int, cells: list[str]) -> Row:
        header = self.dialect.header
        problem = ""
        if any(cells[len(header) :]):
            what = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}
            problem = (
                f"{place}: has more cells than there are columns; quote what holds "
                f"{what[self.dialect.separator]}"
            )
        named = {column: cell for column, cell in zip(header, cells, strict=False) if column}
        return Row(place, number, named, problem)


def read_table(path: str | os.PathLike[str], known: Columns, refuse: Refuse | None = None) -> Table:
    """A table with as many of the `known` columns as it has; `refuse` as in `iter_blocks`.

    Raises:
        InputError: the file is no text, or a column is given twice.
    """
    lines = read_lines(path, tabs=True, refuse=refuse)
    source = shown_path(path)
    return Table(source, sniff(lines.texts[:MOST_BEFORE], known, source), lines)


def sniff(head: Sequence[str], known: Columns, source: str) -> Dialect:
    """The dialect whose header, one of the lines, has the most of the known columns.

    Args:
        head: the first lines of the file that are not blank.
        known: the columns, and what else people call them.
        source: the file, for messages.

    Raises:
        InputError: a known column is given twice.
    """
    told = _SEP.fullmatch(head[0].strip()) if head else None
    before = 1 if told else 0
    separators = [told.group(1)] if told and told.group(1) in SEPARATORS else list(SEPARATORS)
    best, written = Dialect(separators[0], (), before + 1), list[str]()
    for (above, text), separator in product(enumerate(head[before:]), separators):
        try:
            cells = cells_of(text, separator)
        except csv.Error:
            continue
        header = tuple(_column(cell, known) for cell in cells)
        renamed = tuple((cell, known) for cell, known in zip(cells, header, strict=True)
                        if known and cell not in (known, f"{known}_id", "id"))  # fmt: skip
        others = tuple(
            cell for cell, known in zip(cells, header, strict=True) if cell and not known
        )
        found = Dialect(separator, header, before + above + 1, above, renamed, others)
        if len(found.columns) > len(best.columns):
            best, written = found, cells
    if double := {column for column in best.header if column and best.header.count(column) > 1}:
        same = [c for c, column in zip(written, best.header, strict=True) if column == min(double)]
        if len(set(map(column_key, same))) == 1:
            raise InputError(f"{source}: has the column {shown(min(double))} twice; remove one")
        raise InputError(
            f"{source}: the columns {' and '.join(map(shown, same))} both mean {min(double)}; "
            "remove one"
        )
    return best


def encoding_note(encoding: Encoding, source: str) -> tuple[str, ...]:
    """What to say of a file that is not UTF-8; nothing of one that is."""
    if encoding.name == "UTF-8":
        return ()
    example = f" ({encoding.example})" if encoding.example else ""
    return (f"{source}: read as {encoding.name}{example}; save it as UTF-8 if that is wrong",)


def column_key(cell: str) -> str:
    """What the same column has in common, however its name is written."""
    text = unicodedata.normalize("NFC", cell).casefold()
    return re.sub(r"[\s_\-.]+", "_", text).strip("_")


def _column(cell: str, known: Columns) -> str:
    """A header's cell as one of the known columns, else empty."""
    text = column_key(cell)
    for column, others in known.items():
        if text == column or text in others:
            return column
    return ""


def cells_of(text: str, separator: str) -> list[str]:
    """The cells of a line, without white space around them; raises csv.Error."""
    # A quote after the separator's space opens a cell too, as people write it.
    reader = csv.reader([text], strict=True, delimiter=separator, skipinitialspace=True)
    return [cell.strip() for cell in next(reader)]
