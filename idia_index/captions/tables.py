"""Reads TSV, CSV and plain text into batches.

`support.tables` detects separator, header and encoding, as for every other table. pyarrow reads
the rows, since captions come in gigabytes, across several lines and in broken encodings, where an
invalid line is counted and stops nothing.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from idia_index.captions.columns import arrow, table_batch
from idia_index.captions.layouts import KNOWN, addresses, detect, headerless, names_columns
from idia_index.captions.records import Batch, Columns, Layout, Source
from idia_index.captions.sources import open_source
from idia_index.errors import InputError
from idia_index.support.encodings import Encoding
from idia_index.support.tables import SEPARATORS, cells_of, column_key, sniff

_BLOCK = 16 << 20  # also the longest line of a table
_SEPARATORS = {"tsv": "\t", "csv": ","}  # for tables without a header


@dataclass(frozen=True)
class _Head:
    """The beginning of a table.

    Attributes:
        cells: of its first line, except one that names the separator.
        separator: the separator of cells.
        before: number of lines before that line.
        encoding: the encoding.
    """

    cells: list[str]
    separator: str
    before: int
    encoding: Encoding


def layout_of(source: Source, wanted: Columns) -> Layout:
    """The layout, from the first line."""
    head = _head(source, wanted)
    numbered = all(map(str.isdecimal, wanted.captions))
    named = not numbered or names_columns(head.cells, wanted)
    layout = (detect if named else headerless)(head.cells, wanted, source.place)
    told = [layout.name]
    if head.separator != _SEPARATORS[source.format]:
        told.append(f"{SEPARATORS[head.separator]} between columns")
    if head.encoding.name != "UTF-8":
        told.append(head.encoding.name)
    return replace(layout, name=", ".join(told))


def read(source: Source, layout: Layout) -> Iterator[Batch]:
    """The records of a table; a line with another number of cells counts as malformed."""
    pa = arrow()
    from pyarrow import csv as tables

    columns = [*layout.captions, *layout.ids.values()]
    head = _head(source, Columns(layout.captions))
    cells = head.cells
    bare = all(column.isdigit() and int(column) < len(cells) for column in columns)
    bare = bare and not set(columns) <= set(cells)
    malformed = [0]

    def skip(_: Any) -> str:
        malformed[0] += 1
        return "skip"

    names = [str(number) for number in range(len(cells))] if bare else cells
    with open_source(source.place) as file:
        reader = tables.open_csv(
            file,
            read_options=tables.ReadOptions(
                use_threads=False,
                block_size=_BLOCK,
                column_names=names,
                skip_rows=head.before + (0 if bare else 1),
                encoding=head.encoding.codec,
            ),
            parse_options=tables.ParseOptions(
                delimiter=head.separator,
                quote_char=False if bare and source.format == "tsv" else '"',
                newlines_in_values=not bare,
                invalid_row_handler=skip,
            ),
            convert_options=tables.ConvertOptions(
                check_utf8=False,
                column_types=dict.fromkeys(columns, pa.binary()),
                include_columns=list(dict.fromkeys([*columns, *filter(None, [layout.status])])),
                strings_can_be_null=False,
            ),
        )
        first = told = 0
        for table in reader:
            batch = table_batch(table, layout, first)
            first += table.num_rows
            yield replace(batch, malformed=malformed[0] - told)
            told = malformed[0]


def read_text(source: Source, _: Layout) -> Iterator[Batch]:
    """One caption per line; an empty line is an empty caption."""
    pa = arrow()
    first = 0
    codec = _first_lines(source)[1].codec
    with open_source(source.place) as file:
        rest, encoding = b"", Encoding()
        while block := encoding.utf8(file.read(4 << 20), source.place, first=not (first or rest)):
            if codec == "cp1252":
                block = block.decode(codec, "replace").encode("utf-8")
            cut = block.rfind(b"\n") + 1
            if not cut:
                rest += block
                continue
            text, rest = rest + block[:cut], block[cut:]
            yield _lines(pa, text, first)
            first += text.count(b"\n")
        if rest:
            yield _lines(pa, rest + b"\n", first)


def _lines(pa: Any, text: bytes, first: int) -> Batch:
    ends = np.flatnonzero(np.frombuffer(text, np.uint8) == 0x0A) + 1
    offsets = np.concatenate(([0], ends)).astype(np.int32)
    # Each caption keeps its line break, which all rules ignore.
    texts = pa.BinaryArray.from_buffers(
        pa.binary(), len(ends), [None, pa.py_buffer(offsets), pa.py_buffer(text)]
    )
    return Batch(texts, np.arange(len(ends)), np.arange(first, first + len(ends)), {})


def _head(source: Source, wanted: Columns) -> _Head:
    lines, encoding = _first_lines(source)
    if not any(lines):
        raise InputError(f"{source.place}: is empty; pass a file with captions")
    blank = next(place for place, line in enumerate(lines) if line)
    usual = _SEPARATORS[source.format]
    cells = _cells(lines[blank], usual)
    names_separator = lines[blank].strip('"').lower().startswith("sep=")
    if not names_separator and (len(cells) > 1 or names_columns(cells, wanted)):
        return _Head(cells, usual, blank, encoding)
    known = {column_key(name): () for name in (*KNOWN, *wanted.captions)}
    dialect = sniff(lines[blank : blank + 1 + names_separator], known, source.place)
    before = blank + dialect.before - 1
    text = lines[before] if before < len(lines) else ""
    separator = dialect.separator
    if not dialect.columns:  # no header: whatever gives a caption and a URL
        of = {each: _cells(text, each) for each in SEPARATORS}
        separator = next((e for e in of if len(of[e]) == 2 and len(addresses(of[e])) == 1), usual)
    return _Head(_cells(text, separator), separator, before, encoding)


def _cells(text: str, separator: str) -> list[str]:
    try:
        return cells_of(text, separator)
    except csv.Error:  # a quotation mark in a caption
        return text.split(separator)


def _first_lines(source: Source) -> tuple[list[str], Encoding]:
    """The first lines of a file, at most three, and its encoding."""
    encoding = Encoding()
    data = b""
    with open_source(source.place) as file:
        while len(data) < _BLOCK and data.count(b"\n") < 3 and (block := file.read(1 << 16)):
            data += encoding.utf8(block, source.place, first=not data)
    whole = data[: data.rfind(b"\n") + 1] or data
    try:
        text = encoding.text(whole, 1)
    except UnicodeDecodeError:  # broken captions are counted unchanged
        text = whole.decode("utf-8", "replace")
    return [line.rstrip("\r") for line in text.split("\n")[:3]], encoding
