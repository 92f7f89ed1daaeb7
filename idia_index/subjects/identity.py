"""Names that are written otherwise and that the model cannot tell apart: one candidate.

The `name_key` does not know what a model's tokenizer makes equal. CLIP's straightens quotes,
makes full-width letters narrow, reads HTML entities and repairs encodings; others drop full
stops and commas. As two candidates, the last bits of their embeddings would decide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from idia_index.encode.backend import Backend
from idia_index.encode.embeddings import encode_texts
from idia_index.errors import InputError
from idia_index.prompts.templates import Template
from idia_index.support.text import shown
from idia_index.types import Float32, Int64

# Computed apart, in bfloat16 too, a prompt's rows are closer than this; different names rarely are.
CLOSE = 2e-3
SAME = 1e-6  # computed together, one prompt's rows are closer than this

_BLOCK = 4096

# (a name, another name)
Pair = tuple[str, str]


def alike_pairs(
    backend: Backend, templates: Sequence[Template], pairs: Sequence[Pair]
) -> list[Pair]:
    """Those pairs of names whose prompts the model cannot tell apart in any template."""
    left = list(pairs)
    for template in templates:
        if left:
            left = [pair for pair, s in zip(left, _same(backend, template, left), strict=True) if s]
    return left


def close(rows: Float32, others: Float32) -> list[tuple[int, int]]:
    """Places (i, j) of rows [n, D] and others [m, D] that may be of one prompt; i rises."""
    return [
        (start + i, j)
        for start in range(0, len(rows), _BLOCK)
        for i, j in np.argwhere(rows[start : start + _BLOCK] @ others.T >= 1 - CLOSE).tolist()
    ]


def check_distinct(
    backend: Backend, templates: Sequence[Template], names: Sequence[str], rows: Float32
) -> None:
    """Raises InputError if two names, with rows [n, D] of the first template, are one."""
    pairs = [(names[i], names[j]) for i, j in close(rows, rows) if i < j]
    for one, other in alike_pairs(backend, templates, pairs):
        raise InputError(
            f"{shown(one)} and {shown(other)} are the same name to the model; put them together "
            "or rename one"
        )


@dataclass(frozen=True)
class Once:
    """What makes each of some names one candidate.

    Attributes:
        gone: int64 [g], ascending, candidates to leave out: they are another one.
        missing: names to add at the end of those that are left.
        name_ids: each name's id then.
    """

    gone: Int64
    missing: list[str]
    name_ids: dict[str, int]


def each_once(count: int, found: Mapping[str, int], others: Mapping[str, set[int]]) -> Once:
    """Keeps of each name's candidates that with its `name_key`, or else the first.

    Args:
        count: candidates.
        found: id of the candidate with a name's `name_key`, where there is one.
        others: of every name, ids of further candidates that are it to the model.
    """
    kept = {name: found.get(name, min(ids, default=-1)) for name, ids in others.items()}
    gone = np.array(sorted({i for n, ids in others.items() for i in ids - {kept[n]}}), np.int64)
    missing = [name for name, i in kept.items() if i < 0]
    ids = {name: i - int(np.searchsorted(gone, i)) for name, i in kept.items() if i >= 0}
    ids |= {name: place for place, name in enumerate(missing, count - len(gone))}
    return Once(gone, missing, ids)


def _same(backend: Backend, template: Template, pairs: Sequence[Pair]) -> list[bool]:
    texts = [template.fill(name) for pair in pairs for name in pair]
    if backend.text_tower is not None:
        tokens = backend.text_tower.tokenizer.encode(texts)
        return [a == b for a, b in zip(tokens[::2], tokens[1::2], strict=True)]
    rows = encode_texts(backend, texts).astype(np.float64)
    same: list[bool] = ((rows[::2] * rows[1::2]).sum(axis=1) >= 1 - SAME).tolist()
    return same
