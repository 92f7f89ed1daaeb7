"""Reads JSON and JSON lines into batches."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from idia_index.captions.columns import as_bytes, list_batch
from idia_index.captions.layouts import detect
from idia_index.captions.records import Batch, Columns, Layout, Source
from idia_index.captions.sources import open_source

_ROWS = 20_000
_MOST = 512 << 20  # maximum bytes of a JSON document, which is read whole

Record = Mapping[str, Any]


def layout_of(source: Source, wanted: Columns) -> Layout:
    """The layout, from the first record."""
    first = next(iter(_records(source)), {})
    return detect([str(column) for column in first], wanted, source.place)


def read(source: Source, layout: Layout) -> Iterator[Batch]:
    """The records; a line or entry that is not a JSON object counts as malformed."""
    records = iter(_records(source))
    first = 0
    while block := list(islice(records, _ROWS)):
        yield object_batch(block, layout, first)
        first += len(block)


def object_batch(records: list[Record], layout: Layout, first: int) -> Batch:
    """A batch of JSON objects, the first being record `first` of its source."""
    kept, malformed, left_out = [], 0, 0
    for row, record in enumerate(records, first):
        if not record:
            malformed += 1
        elif layout.status is not None and record.get(layout.status) != "success":
            left_out += 1
        else:
            kept.append((row, record))
    captions = [[t for c in layout.captions for t in as_bytes(r.get(c))] for _, r in kept]
    ids = {kind: [r.get(column) for _, r in kept] for kind, column in layout.ids.items()}
    return list_batch(
        captions, [row for row, _ in kept], ids, left_out=left_out, malformed=malformed
    )


def _records(source: Source) -> Iterable[Record]:
    if source.format == "jsonl":
        return _lines(source)
    return _document(source)


def _lines(source: Source) -> Iterator[Record]:
    with open_source(source.place) as file:
        rest = b""
        while block := file.read(4 << 20):
            *lines, rest = (rest + block).split(b"\n")
            yield from map(_object, filter(bytes.strip, lines))
        if rest.strip():
            yield _object(rest)


def _object(line: bytes) -> Record:
    """The object of a line; an empty one if it is not an object."""
    try:
        value = json.loads(line.decode("utf-8", "replace"))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _document(source: Source) -> Iterator[Record]:
    """The records of one document: a list, `annotations` of an object, or an object of lists."""
    with open_source(source.place) as file:
        text = file.read(_MOST + 1)
    if len(text) > _MOST:
        raise ValueError(f"more than {_MOST:,} bytes of JSON; write JSON lines instead")
    data = json.loads(text.decode("utf-8", "replace"))
    if isinstance(data, dict) and isinstance(data.get("annotations"), list):
        data = data["annotations"]
    if isinstance(data, list):
        for each in data:
            yield each if isinstance(each, dict) else {}
    elif isinstance(data, dict):
        lists = {key: value for key, value in data.items() if isinstance(value, list)}
        if not lists:
            yield data
        for values in zip(*lists.values(), strict=True):
            yield dict(zip(lists, values, strict=True))
    else:
        raise ValueError("neither a list nor an object")
