"""Where readers are told what other names won: no made-up name turns a test into a search."""

from __future__ import annotations

import numpy as np

from idia_index.types import Int64


def may_be_named(predictions: Int64, name_id: int) -> bool:
    """Whether what people read names a subject's rivals: where none was predicted more often.

    Else a name that is made up, given with the photo of a stranger, would be answered with the
    stranger's own.

    Args:
        predictions: name ids int64 [T, M] of the subject's images.
        name_id: the id of the name that was asked for.
    """
    ids, counts = np.unique(predictions, return_counts=True)
    return bool(counts.max(initial=0) == counts[ids == name_id].sum())
