"""TSV, CSV and plain text -> batches."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import Any

import numpy as np

from idia_index.captions.columns import arrow, table_batch
from idia_index.captions.layouts import detect, headerless, names_columns
from idia_index.captions.records import Batch, Columns, Layout, Source
from idia_index.captions.sources import open_source
from idia_index.errors import InputError

_BLOCK = 16 << 20  # longest line of a table, too
_DELIMITERS = {"tsv": "\t", "csv": ","}


def layout_of(source: Source, wanted: Columns) -> Layout:
    """The layout, from the first line."""
    cells = _first_line(source)
    if names_columns(cells, wanted):
        return detect(cells, wanted, source.place)
    return headerless(cells, wanted, source.place)


def read(source: Source, layout: Layout) -> Iterator[Batch]:
    """The records of a table; a line with another number of cells is malformed, and counted."""
    pa = arrow()
    from pyarrow import csv as tables

    cells = _first_line(source)
    columns = [*layout.captions, *layout.ids.values()]
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
                skip_rows=0 if bare else 1,
                encoding="utf8",
            ),
            parse_options=tables.ParseOptions(
                delimiter=_DELIMITERS[source.format],
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
            yield Batch(
                batch.texts, batch.owners, batch.rows, batch.ids, batch.left_out,
                malformed[0] - told,
            )  # fmt: skip
            told = malformed[0]


def read_text(source: Source, _: Layout) -> Iterator[Batch]:
    """One caption a line; an empty line is an empty caption."""
    pa = arrow()
    first = 0
    with open_source(source.place) as file:
        rest = b""
        while block := file.read(4 << 20):
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
    # Each caption keeps its line break, which no rule sees.
    texts = pa.BinaryArray.from_buffers(
        pa.binary(), len(ends), [None, pa.py_buffer(offsets), pa.py_buffer(text)]
    )
    return Batch(texts, np.arange(len(ends)), np.arange(first, first + len(ends)), {})


def _first_line(source: Source) -> list[str]:
    with open_source(source.place) as file:
        line = b""
        while len(line) < _BLOCK and b"\n" not in line and (block := file.read(1 << 16)):
            line += block
    text = line.split(b"\n", 1)[0].rstrip(b"\r").decode("utf-8-sig", "replace")
    if not text:
        raise InputError(f"{source.place}: is empty; give a file with captions")
    if source.format == "tsv" and '"' in text:
        return text.split("\t")
    return next(csv.reader([text], delimiter=_DELIMITERS[source.format]))
