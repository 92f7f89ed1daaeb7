"""Searches one source of captions: the unit of work and of resuming."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idia_index.captions import objects, parquet, samples, tables
from idia_index.captions.corpora import Look
from idia_index.captions.matching import Matcher
from idia_index.captions.records import ID_KINDS, Batch, Columns, Found, Layout, Source
from idia_index.support.files import sha256_file, write_whole

_Format = tuple[Callable[[Source, Columns], Layout], Callable[[Source, Layout], Iterator[Batch]]]
_TABLES, _SAMPLES, _OBJECTS = ((each.layout_of, each.read) for each in (tables, samples, objects))
_FORMATS: dict[str, _Format] = {
    "parquet": (parquet.layout_of, parquet.read),
    "tar": _SAMPLES, "samples": _SAMPLES,
    "tsv": _TABLES, "csv": _TABLES,
    "json": _OBJECTS, "jsonl": _OBJECTS,
    "text": (lambda *_: Layout("text, one caption per line", (), {}), tables.read_text),
}  # fmt: skip
"""For each format, the functions that detect the layout and read batches."""

HIT_COLUMNS = ("name", "variant", "file", "row", "url", "key", "hash", "caption")


@dataclass(frozen=True)
class Search:
    """How each source is searched.

    Attributes:
        matcher: finds the names.
        columns: the user's choice of columns.
        identify: whether to read records' URLs, keys and hashes.
        hash_files: whether to compute the SHA-256 of local files.
        list_hits: whether to store every hit's record in a table.
    """

    matcher: Matcher
    columns: Columns
    identify: bool = True
    hash_files: bool = True
    list_hits: bool = False


def layout_of(source: Source, wanted: Columns, identify: bool = True) -> Layout:
    """The roles of a source's columns; raises InputError, or what reading it raises."""
    layout = _FORMATS[source.format][0](source, wanted)
    return layout if identify or not layout.ids else replace(layout, ids={})


def read_batches(source: Source, layout: Layout) -> Iterator[Batch]:
    """The records of a source."""
    return _FORMATS[source.format][1](source, layout)


def search_source(source: Source, search: Search, table: Path | None = None) -> Found:
    """Searches one source; with `table`, writes its hits' records there.

    Raises:
        InputError: its columns cannot be determined.
        Exception: whatever the reader of its format raises for a damaged file.
    """
    layout = layout_of(source, search.columns, search.identify or search.list_hits)
    look = Look()
    parts = []
    records = left_out = malformed = 0
    with _HitTable(table, source, search.matcher) as hits:
        for batch in read_batches(source, layout):
            records += len(batch.rows)
            left_out += batch.left_out
            malformed += batch.malformed
            look.add(batch.texts)
            part = _matches(batch, search.matcher)
            hits.add(batch, part)
            parts.append((part[1], part[2], batch.rows[part[0]], _identities(batch, part[0])))
    names, variants, rows, ids = zip(*parts, strict=True) if parts else ((), (), (), ())
    none = np.empty(0, np.uint64)
    return Found(
        layout, records, left_out, malformed, look.bytes, look.masked, look.lower, look.hypernyms,
        np.concatenate([none, *names]).astype(np.int32),
        np.concatenate([none, *variants]).astype(np.uint8),
        np.concatenate([none.astype(np.int64), *rows]),
        {kind: np.concatenate([none, *(each[kind] for each in ids)]) for kind in layout.ids},
        _sha256(source) if search.hash_files else "",
    )  # fmt: skip


def _sha256(source: Source) -> str:
    """Of a local file, once if it is read in parts."""
    local = "://" not in source.place and source.format != "samples"
    return sha256_file(Path(source.place)) if local and source.part == 0 else ""


Part = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]
"""Indices of records in a batch, names, variants, and indices of captions: int64 [h] each."""


def _matches(batch: Batch, matcher: Matcher) -> Part:
    """Each pair of record and name once, with its strictest variant, sorted."""
    captions, names, variants = matcher.match(batch.texts)
    records = batch.owners[captions]
    order = np.lexsort((captions, variants, names, records))
    records, names, variants, captions = (
        each[order] for each in (records, names, variants, captions)
    )
    again = (records[1:] == records[:-1]) & (names[1:] == names[:-1])
    first = np.concatenate((np.ones(min(len(records), 1), np.bool_), ~again))
    return records[first], names[first], variants[first], captions[first]


def _identities(batch: Batch, records: NDArray[np.int64]) -> dict[str, NDArray[np.uint64]]:
    """A hash of each record's identity, 0 for a record without one."""
    return {
        kind: np.array([_hash(_value(column, k)) for k in records.tolist()], np.uint64)
        for kind, column in batch.ids.items()
    }


def _value(column: Any, place: int) -> str | None:
    value = column[place]
    value = value.as_py() if hasattr(value, "as_py") else value
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return None if value is None or value == "" else str(value)


def _hash(value: str | None) -> int:
    if value is None:
        return 0
    digest = hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little") or 1


class _HitTable:
    """The records of hits as a parquet file, readable only by its owner; nothing without a path."""

    def __init__(self, path: Path | None, source: Source, matcher: Matcher) -> None:
        self._path, self._source, self._matcher = path, source, matcher
        self._columns: dict[str, list[Any]] = {name: [] for name in HIT_COLUMNS}

    def __enter__(self) -> _HitTable:
        return self

    def add(self, batch: Batch, part: Part) -> None:
        if self._path is None:
            return
        for record, name, variant, caption in zip(*(each.tolist() for each in part), strict=True):
            told = {kind: _value(batch.ids[kind], record) for kind in ID_KINDS if kind in batch.ids}
            told["caption"] = batch.texts[caption].as_py().decode("utf-8", "replace")
            told["name"] = self._matcher.names[name]
            told["variant"] = self._matcher.variants[variant]
            told["file"] = self._source.place
            for column, values in self._columns.items():
                values.append(int(batch.rows[record]) if column == "row" else told.get(column))

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._path is None or kind is not None:
            return
        import pyarrow as pa
        from pyarrow import parquet as files

        fields = [(name, pa.int64() if name == "row" else pa.string()) for name in HIT_COLUMNS]
        buffer = io.BytesIO()
        files.write_table(pa.table(self._columns, schema=pa.schema(fields)), buffer)
        write_whole(self._path, buffer.getbuffer())


def save(found: Found, path: Path) -> None:
    """Writes the results atomically."""
    told = {
        name: value
        for name, value in asdict(found).items()
        if name not in ("names", "variants", "rows", "ids")
    }
    arrays = {"names": found.names, "variants": found.variants, "rows": found.rows}
    arrays |= {f"id_{kind}": values for kind, values in found.ids.items()}
    buffer = io.BytesIO()
    np.savez(buffer, told=np.frombuffer(json.dumps(told).encode(), np.uint8), **arrays)  # type: ignore[arg-type]
    write_whole(path, buffer.getbuffer())


def load(path: Path) -> Found:
    """Reads what `save` wrote."""
    with np.load(path, allow_pickle=False) as arrays:
        told = json.loads(arrays["told"].tobytes())
        layout = Layout(**{**told.pop("layout")})
        layout = replace(layout, captions=tuple(layout.captions))
        ids = {name[3:]: arrays[name] for name in arrays.files if name.startswith("id_")}
        return Found(
            **{**told, "layout": layout}, ids=ids, names=arrays["names"],
            variants=arrays["variants"], rows=arrays["rows"],
        )  # fmt: skip
