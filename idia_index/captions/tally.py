"""Counts the hits of each name over all sources."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from idia_index.captions.records import ID_KINDS, Found
from idia_index.captions.rules import SUBSTRING, TOTAL

_Int64 = NDArray[np.int64]
_AT_ONCE = 8_000_000  # hits held in memory
_PREFERRED = ("url", "hash", "key")  # a key may be unique within its shard only


@dataclass(frozen=True)
class Tally:
    """Counts of records.

    Attributes:
        variants: int64 [names, variants].
        hits: int64 [names], all hits, including dropped ones.
        total: int64 [names], training counts: variants that count as the name itself.
        repeated: int64 [names], hits that repeat an earlier one of the name.
        repeats_by: kind of identity -> hits that repeat an earlier one of their name.
        judged_by: the kind of identity used for `repeated`; None if records have none.
    """

    variants: _Int64
    hits: _Int64
    total: _Int64
    repeated: _Int64
    repeats_by: dict[str, int]
    judged_by: str | None


def tally(
    load: Callable[[], Iterable[Found]], names: int, variants: Sequence[str], unique_by: str | None
) -> Tally:
    """Counts the hits of all sources.

    Args:
        load: yields the results source by source, in order; may be called repeatedly.
        names: number of names.
        variants: the meaning of variant numbers.
        unique_by: kind of identity; of a name's hits with the same one, the first counts.
    """
    sizes = np.zeros(names, np.int64)
    kinds: set[str] = set()
    for found in load():
        sizes += np.bincount(found.names, minlength=names)
        kinds |= found.ids.keys()
    judged_by = unique_by or next((kind for kind in _PREFERRED if kind in kinds), None)
    counts = np.zeros((names, len(variants)), np.int64)
    repeated = np.zeros(names, np.int64)
    repeats_by = dict.fromkeys((kind for kind in ID_KINDS if kind in kinds), 0)
    for start, stop in _blocks(sizes):
        ids, which, known = _gather(load(), start, stop, repeats_by)
        keep = np.ones(len(ids), np.bool_)
        for kind in repeats_by:
            again = _repeats(ids, known[kind])
            repeats_by[kind] += int(again.sum())
            if kind == judged_by:
                repeated += np.bincount(ids[again], minlength=names)
            if kind == unique_by:
                keep = ~again
        np.add.at(counts, (ids[keep], which[keep]), 1)
    summed = [k for k, name in enumerate(variants) if name in (*TOTAL, SUBSTRING)]
    return Tally(counts, sizes, counts[:, summed].sum(axis=1), repeated, repeats_by, judged_by)


def _blocks(sizes: _Int64) -> Iterator[tuple[int, int]]:
    """Runs of names whose hits fit in memory together."""
    start = held = 0
    for name, size in enumerate(sizes.tolist()):
        if held and held + size > _AT_ONCE:
            yield start, name
            start, held = name, 0
        held += size
    yield start, len(sizes)


def _gather(
    parts: Iterable[Found], start: int, stop: int, kinds: Iterable[str]
) -> tuple[_Int64, _Int64, dict[str, NDArray[np.uint64]]]:
    """Names, variants and identities of the hits of names start to stop, in order."""
    names, variants = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    known = {kind: [np.empty(0, np.uint64)] for kind in kinds}
    for found in parts:
        mask = (found.names >= start) & (found.names < stop)
        names.append(found.names[mask].astype(np.int64))
        variants.append(found.variants[mask].astype(np.int64))
        for kind, lists in known.items():
            nothing = np.zeros(len(found.names), np.uint64)
            lists.append(found.ids.get(kind, nothing)[mask])
    joined = {kind: np.concatenate(lists) for kind, lists in known.items()}
    return np.concatenate(names), np.concatenate(variants), joined


def _repeats(names: _Int64, ids: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Whether an earlier hit of the same name has the same identity; 0 equals no other."""
    order = np.lexsort((ids, names))  # stable: the first stays first
    same = (names[order][1:] == names[order][:-1]) & (ids[order][1:] == ids[order][:-1])
    again = np.zeros(len(ids), np.bool_)
    again[order[1:]] = same & (ids[order][1:] != 0)
    return again
