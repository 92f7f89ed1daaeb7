"""Matches subjects' names to candidates of an index, each in one spelling; encodes missing ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from idia_index.encode.backend import Backend
from idia_index.encode.embeddings import encode_grid, encode_texts
from idia_index.errors import InputError
from idia_index.prompts.grid import PromptGrid
from idia_index.prompts.spelling import misspelt
from idia_index.search.index import Index
from idia_index.subjects.identity import CLOSE, Pair, alike_pairs, close, each_once
from idia_index.support.text import shown
from idia_index.types import Float32

NEAREST = 8  # candidates compared with each name; more if all of them are the name
MOST = 512  # limit for untrusted indexes, which may hold a name in any number of spellings


@dataclass(frozen=True)
class Candidates:
    """An index with each of P people's names in it exactly once.

    Attributes:
        index: a view without duplicate candidates, as if they had been removed, and with the
            names that were missing.
        name_ids: int [P], id of each name in that view.
        stored: bool [P], whether the index holds it, or it was encoded now.
        spellings: [P], candidates that are the same name only to the model.
    """

    index: Index
    name_ids: list[int]
    stored: list[bool]
    spellings: list[tuple[str, ...]]


def with_candidates(index: Index, backend: Backend, names: Sequence[str]) -> Candidates:
    """Finds names among the candidates, in any spelling that is the same to the model.

    If several candidates are one name, the one with its `name_key` stays, or else the first.

    Args:
        index: the index.
        backend: its model.
        names: P names that the model can distinguish (`alike_names`).

    Raises:
        InputError: too many candidates are one of the names to the model.
    """
    each = list(dict.fromkeys(names))
    found = index.find(each)
    rows = _first_rows(index, backend, each, found)
    others = _others(index, backend, dict(zip(each, rows, strict=True)), found)
    spellings = [tuple(map(index.name, sorted(others[name]))) for name in names]
    once = each_once(len(index), found, others)
    view = index.without(once.gone) if len(once.gone) else index
    if once.missing:
        grid = PromptGrid(index.templates, once.missing)
        view = view.with_names(once.missing, encode_grid(backend, grid, 0, len(once.missing)))
    missing = set(once.missing)
    stored = [name not in missing for name in names]
    return Candidates(view, [once.name_ids[name] for name in names], stored, spellings)


# Cached, because a verb asks before loading a model and again for its result: a million candidates
# take seconds.
_found_near: WeakKeyDictionary[Sequence[str], dict[str, tuple[str, ...]]] = WeakKeyDictionary()


def near_names(index: Index, names: Sequence[str]) -> dict[str, tuple[str, ...] | None]:
    """Candidates that each name may be a misspelling of (see `misspelt`); none if it is one.

    None if too many names are missing from the index to compare in a few seconds.
    """
    found = index.find(names)
    missing = [name for name in names if name not in found]
    near = _near_candidates(index.names, missing) if missing else {}
    return dict.fromkeys(found, ()) | {
        name: None if near is None else near.get(name, ()) for name in missing
    }


def _near_candidates(
    candidates: Sequence[str], missing: Sequence[str]
) -> dict[str, tuple[str, ...]] | None:
    if isinstance(candidates, list):  # of a view with its own names
        return misspelt(missing, candidates)
    known = _found_near.setdefault(candidates, {})
    new = [name for name in missing if name not in known]
    if new:
        near = misspelt(new, candidates)
        if near is None:
            return None
        known |= {name: near.get(name, ()) for name in new}
    return known


def alike_names(index: Index, backend: Backend, names: Sequence[str]) -> dict[str, str]:
    """Names that the model cannot distinguish from an earlier one, with that one."""
    if not names:
        return {}
    rows = _first_rows(index, backend, names, index.find(names))
    pairs = [(names[i], names[j]) for i, j in close(rows, rows) if i < j]
    found: dict[str, str] = {}
    for first, later in alike_pairs(backend, index.templates, pairs):
        found.setdefault(later, first)
    return found


def _first_rows(
    index: Index, backend: Backend, names: Sequence[str], found: dict[str, int]
) -> Float32:
    """Rows [P, D] of names in the first template: the index's own if stored in float32.

    Most queries are for a stored name: they encode no text, so half of the model is not loaded.
    """
    rows = np.empty((len(names), backend.fingerprint.dim), np.float32)
    stored = np.array([index.manifest.plan.exact and name in found for name in names])
    if stored.any():
        ids = [found[name] for name, there in zip(names, stored, strict=True) if there]
        rows[stored] = index.text_embeddings(0, ids)
    if not stored.all():
        others = [name for name, there in zip(names, stored, strict=True) if not there]
        rows[~stored] = encode_texts(backend, [index.templates[0].fill(name) for name in others])
    return rows


def _others(
    index: Index, backend: Backend, rows: dict[str, Float32], found: dict[str, int]
) -> dict[str, set[int]]:
    """For each name, ids of the candidates that are it, except the one `found`."""
    others: dict[str, set[int]] = {}
    waiting, k = list(rows), min(NEAREST, len(index))
    while waiting:
        similarities, ids = index.nearest(0, np.stack([rows[name] for name in waiting]), k)
        near = similarities >= 1 - CLOSE - index.stored_error(0)
        pairs: dict[Pair, set[int]] = {}
        for name, mine, ok in zip(waiting, ids, near, strict=True):
            for i in mine[ok & (mine != found.get(name, -1))].tolist():
                pairs.setdefault((name, index.name(i)), set()).add(i)
        alike = {name: {found[name]} if name in found else set() for name in waiting}
        for pair in alike_pairs(backend, index.templates, list(pairs)):
            alike[pair[0]] |= pairs[pair]
        others |= {name: mine - {found.get(name, -1)} for name, mine in alike.items()}
        waiting = [name for name, mine in alike.items() if len(mine) >= k < len(index)]
        if waiting and k >= MOST:
            raise InputError(
                f"{index.path}: more than {MOST} candidates are spellings of {shown(waiting[0])} "
                "to the model; remove them"
            )
        k = min(4 * k, len(index))
    return others
