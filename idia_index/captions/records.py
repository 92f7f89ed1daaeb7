"""Plain records of the search: where captions lie, what is read of them, what is found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

ID_KINDS = ("url", "key", "hash")
"""By which of a record's columns it may be known again."""


@dataclass(frozen=True)
class Columns:
    """What the user said of the columns; empty or None where it is to be detected."""

    captions: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """A file of captions, or a folder with one file a caption, or a part of a parquet file.

    Attributes:
        place: path or URL.
        format: one of `sources.FORMATS`.
        size: bytes, 0 where nobody can say.
        changed: when, in nanoseconds; 0 where nobody can say.
        groups: the row groups of a parquet file that are meant; None for all of it.
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
    """Which columns of a source are what.

    Attributes:
        name: what it looks like, for people ("LAION-2B").
        captions: the caption columns; several count once a record.
        ids: column by kind (`ID_KINDS`).
        status: column that says whether an image was downloaded, or None.
        faces_blurred: whether it has the column of boxes within which faces are blurred.
    """

    name: str
    captions: tuple[str, ...]
    ids: dict[str, str]
    status: str | None = None
    faces_blurred: bool = False


@dataclass(frozen=True)
class Batch:
    """Some records of a source in order.

    Attributes:
        texts: pyarrow binary array [m] without nulls: all captions of the records.
        owners: int64 [m], the place within the batch of the record that each belongs to.
        rows: int64 [n], which record of the source each is.
        ids: by kind, a sequence [n] or pyarrow array [n] that tells records apart.
        left_out: records between that were not trained on.
        malformed: lines between that are no record.
    """

    texts: Any
    owners: NDArray[np.int64]
    rows: NDArray[np.int64]
    ids: dict[str, Any]
    left_out: int = 0
    malformed: int = 0


@dataclass
class Found:
    """What was found in a source.

    Attributes:
        layout: of the source.
        records, left_out, malformed, caption_bytes: what was read.
        masked, lower, hypernyms: records with `<PERSON>`, without a capital letter, and with one
            of the words that CC3M has in place of names.
        names, variants, rows: int32, uint8, int64 [h], the hits, by row and then by name.
        ids: by kind, uint64 [h], a hash of the record's identity, 0 where it has none.
        sha256: of the file, "" where it was not asked for.
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
