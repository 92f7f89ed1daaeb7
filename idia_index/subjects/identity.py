"""Merges names with different spellings that the model cannot distinguish into one candidate.

The `name_key` does not cover everything that a model's tokenizer normalizes. CLIP's straightens
quotes, narrows full-width letters, decodes HTML entities and repairs encodings; others drop full
stops and commas. As two candidates, the last bits of their embeddings would decide votes.
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

# Rows of a prompt computed separately, even in bfloat16, are closer than this; names rarely are.
CLOSE = 2e-3
SAME = 1e-6  # rows of one prompt computed together are closer than this

_BLOCK = 4096

# (a name, another name)
Pair = tuple[str, str]


def alike_pairs(
    backend: Backend, templates: Sequence[Template], pairs: Sequence[Pair]
) -> list[Pair]:
    """The pairs of names whose prompts the model cannot distinguish in any template."""
    left = list(pairs)
    for template in templates:
        if left:
            left = [pair for pair, s in zip(left, _same(backend, template, left), strict=True) if s]
    return left


def close(rows: Float32, others: Float32) -> list[tuple[int, int]]:
    """Indices (i, j) of rows [n, D] and others [m, D] that may be one prompt, by ascending i."""
    return [
        (start + i, j)
        for start in range(0, len(rows), _BLOCK)
        for i, j in np.argwhere(rows[start : start + _BLOCK] @ others.T >= 1 - CLOSE).tolist()
    ]


def check_distinct(
    backend: Backend, templates: Sequence[Template], names: Sequence[str], rows: Float32
) -> None:
    """Raises InputError if two names, with rows [n, D] in the first template, are the same."""
    pairs = [(names[i], names[j]) for i, j in close(rows, rows) if i < j]
    for one, other in alike_pairs(backend, templates, pairs):
        raise InputError(
            f"{shown(one)} and {shown(other)} are the same name to the model; merge them or "
            "rename one"
        )


@dataclass(frozen=True)
class Once:
    """The changes that make each name exactly one candidate.

    Attributes:
        gone: int64 [g], ascending, duplicate candidates to leave out.
        missing: names to append to the remaining candidates.
        name_ids: each name's resulting id.
    """

    gone: Int64
    missing: list[str]
    name_ids: dict[str, int]


def each_once(count: int, found: Mapping[str, int], others: Mapping[str, set[int]]) -> Once:
    """Keeps each name's candidate with its `name_key`, or else its first.

    Args:
        count: number of candidates.
        found: id of the candidate with a name's `name_key`, if any.
        others: for each name, ids of other candidates that are the same to the model.
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
