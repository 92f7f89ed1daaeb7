"""Plain records of the search: sources of captions, batches read, and names found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

ID_KINDS = ("url", "key", "hash")
"""Kinds of columns that identify a record."""


@dataclass(frozen=True)
class Columns:
    """The user's choice of columns; empty or None to detect them."""

    captions: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """A file of captions, a folder with one file per caption, or a part of a parquet file.

    Attributes:
        place: path or URL.
        format: one of `sources.FORMATS`.
        size: bytes; 0 if unknown.
        changed: modification time in nanoseconds; 0 if unknown.
        groups: row groups of a parquet file; None for all.
        part: number of the part within its file.
    """

    place: str
    format: str
    size: int
    changed: int = 0
    groups: tuple[int, int] | None = None
    part: int = 0


@dataclass(frozen=True)
class Layout:
    """The roles of a source's columns.

    Attributes:
        name: a display name ("LAION-2B").
        captions: the caption columns; several count once per record.
        ids: column by kind (`ID_KINDS`).
        status: the column with each image's download status, or None.
        faces_blurred: whether it has a column of boxes with blurred faces.
    """

    name: str
    captions: tuple[str, ...]
    ids: dict[str, str]
    status: str | None = None
    faces_blurred: bool = False


@dataclass(frozen=True)
class Batch:
    """Consecutive records of a source.

    Attributes:
        texts: pyarrow binary array [m] without nulls: all captions of the records.
        owners: int64 [m], the index within the batch of each caption's record.
        rows: int64 [n], each record's index in the source.
        ids: by kind, a sequence [n] or pyarrow array [n] that identifies records.
        left_out: skipped records that were not trained on.
        malformed: skipped lines that are not records.
    """

    texts: Any
    owners: NDArray[np.int64]
    rows: NDArray[np.int64]
    ids: dict[str, Any]
    left_out: int = 0
    malformed: int = 0


@dataclass
class Found:
    """The result of searching a source.

    Attributes:
        layout: the source's layout.
        records, left_out, malformed, caption_bytes: what was read.
        masked, lower, hypernyms: records with `<PERSON>`, without a capital letter, and with one
            of CC3M's replacements of names.
        names, variants, rows: int32, uint8, int64 [h], the hits, by row and then by name.
        ids: by kind, uint64 [h], a hash of the record's identity; 0 if it has none.
        sha256: the file's hash; "" if not requested.
    """

    layout: Layout
    records: int
    left_out: int
    malformed: int
    caption_bytes: int
    masked: int
    lower: int
    hypernyms: int
    names: NDArray[np.int32]
    variants: NDArray[np.uint8]
    rows: NDArray[np.int64]
    ids: dict[str, NDArray[np.uint64]]
    sha256: str = ""
