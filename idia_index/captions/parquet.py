"""Reads Parquet into batches, only the columns needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

from idia_index.captions.columns import arrow, table_batch
from idia_index.captions.layouts import detect
from idia_index.captions.records import Batch, Columns, Layout, Source
from idia_index.support.remote import fsspec

_ROWS = 32_768
PART_BYTES = 256 << 20  # of the file, not only its captions


def parts(source: Source) -> list[Source]:
    """A large file split into runs of row groups for several cores; raises as reading does."""
    if source.size <= PART_BYTES:
        return [source]
    with _opened(source) as file:
        groups = file.metadata.num_row_groups
    count = min(groups, -(-source.size // PART_BYTES))
    cuts = [groups * k // count for k in range(count + 1)]
    return [
        replace(source, groups=(start, stop), part=k, size=source.size // count)
        for k, (start, stop) in enumerate(pairwise(cuts))
    ]


def layout_of(source: Source, wanted: Columns) -> Layout:
    """The layout, from the schema alone."""
    with _opened(source) as file:
        return detect(file.schema_arrow.names, wanted, source.place)


def read(source: Source, layout: Layout) -> Iterator[Batch]:
    """The records of a file, or of the row groups of a part."""
    with _opened(source) as file:
        start, stop = source.groups or (0, file.metadata.num_row_groups)
        first = sum(file.metadata.row_group(k).num_rows for k in range(start))
        columns = [*layout.captions, *layout.ids.values()]
        if layout.status is not None:
            columns.append(layout.status)
        for table in file.iter_batches(
            _ROWS, row_groups=range(start, stop), columns=columns, use_threads=False
        ):
            yield table_batch(table, layout, first)
            first += table.num_rows


def _opened(source: Source) -> Any:
    arrow()
    from pyarrow import parquet

    if "://" in source.place:
        file = fsspec().open(source.place, "rb").open()
        return parquet.ParquetFile(file, buffer_size=1 << 20)
    # No read-ahead: its memory would grow with the row groups.
    return parquet.ParquetFile(source.place, pre_buffer=False, memory_map=True)
