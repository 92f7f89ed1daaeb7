"""Converts columns of a table, as pyarrow arrays, to batches of records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idia_index.captions.records import Batch, Layout
from idia_index.errors import MissingExtraError


def arrow() -> Any:
    """pyarrow; raises MissingExtraError."""
    try:
        import pyarrow
        import pyarrow.compute
    except ImportError as error:
        raise MissingExtraError("reading captions", "pyarrow", "members") from error
    return pyarrow


def table_batch(table: Any, layout: Layout, first: int) -> Batch:
    """The records of a pyarrow record batch, the first being record `first` of its source.

    Records without a caption are kept; those with a status other than success are not.
    """
    rows = np.arange(first, first + table.num_rows)
    left_out = 0
    if layout.status is not None:
        good = arrow().compute.equal(table.column(layout.status), "success").fill_null(False)
        left_out = table.num_rows - (good.true_count or 0)
        if left_out:
            rows = rows[good.to_numpy(zero_copy_only=False)]
            table = table.filter(good)
    columns = [_flat(table.column(name), len(rows)) for name in layout.captions]
    if len(columns) == 1:
        texts, owners = columns[0]
    else:
        texts = arrow().concat_arrays([texts for texts, _ in columns])
        owners = np.concatenate([owners for _, owners in columns])
    ids = {kind: table.column(name) for kind, name in layout.ids.items()}
    return Batch(texts, owners, rows, ids, left_out)


def list_batch(
    captions: Sequence[Sequence[bytes]], rows: Sequence[int], ids: dict[str, Any], **left: int
) -> Batch:
    """The same for Python values: the captions of each record."""
    pa = arrow()
    flat = [text for each in captions for text in each]
    owners = np.repeat(np.arange(len(captions)), [len(each) for each in captions])
    return Batch(pa.array(flat, pa.binary()), owners, np.array(rows, np.int64), ids, **left)


def as_bytes(value: object) -> list[bytes]:
    """The captions in a JSON value: a string or a list of strings; anything else has none."""
    if isinstance(value, str):
        return [value.encode("utf-8", "surrogatepass")]
    if isinstance(value, list):
        return [text for each in value for text in as_bytes(each)]
    return []


def _flat(column: Any, count: int) -> tuple[Any, NDArray[np.int64]]:
    """Captions of a column of texts or lists of texts, and the record of each."""
    pa = arrow()
    owners = np.arange(count)
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        owners = pa.compute.list_parent_indices(column).to_numpy(zero_copy_only=False)
        column = pa.compute.list_flatten(column)
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    texts = (pa.string(), pa.binary(), pa.large_string(), pa.large_binary(), pa.null())
    if column.type not in texts:
        raise ValueError(f"the caption column holds {column.type}, not text")
    # The same bytes: a cast would copy them.
    column = column.view(pa.binary()) if column.type == pa.string() else column.cast(pa.binary())
    return (column.fill_null(b"") if column.null_count else column), owners.astype(np.int64)
