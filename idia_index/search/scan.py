"""Scans the shards once and proves which rows can be the answer.

A matrix product rounds, and stored rows may be quantized, so a score is known only within a
bound. For each image the pass keeps every row whose score could still be among the k best, its
*contenders*. Another summation order gives other scores and bounds, but the same answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import NamedTuple

import numpy as np

from idia_index.errors import DamagedIndexError, IdiaIndexError, InputError
from idia_index.plugins import Float64, Places, ScoredShard, Scores, Shard
from idia_index.support.threads import one_blas_thread, workers
from idia_index.types import Float32, Int64

ROW_BLOCK = 4096  # rows and
QUERY_BLOCK = 2048  # images per product: enough to make Python's overhead negligible
# Two similarities that differ by less may be equal when rounded to float32.
TIE = 2.0**-23
# Maximum pairs of image and name kept, 40 bytes each; there are few, unless embeddings are nearly
# equal, as with a broken model or a hostile index.
MOST_PAIRS = 1 << 23
MOST = 1 + 1e-3  # above any similarity of unit rows


class ContendersError(IdiaIndexError):
    """More names are nearly equally similar to the images than can be compared at a time."""


@dataclass(frozen=True)
class Tile:
    """A part of a shard for searching.

    Attributes:
        shard: the part.
        count: number of rows.
        first: stored id of its first row.
        first_template: id of its first template.
        errors: float64 [t], the maximum difference between a stored row and the true one.
        removed: removed rows, ascending.
        file: the file of its rows, for messages.
    """

    shard: Shard
    count: int
    first: int
    first_template: int
    errors: Float64
    removed: Int64 = field(default_factory=lambda: np.empty(0, np.int64))
    file: str = "a shard"


def not_unit(tile: Tile, template: int) -> InputError:
    """The error for a similarity that is NaN or larger than those of unit rows."""
    return DamagedIndexError(
        f"{tile.file}: a row of template {template} is not of unit length; find the damage with: "
        "idia-index verify"
    )


@dataclass(frozen=True)
class Contenders:
    """Pairs of image and name, in one template, that may be among the image's k best.

    Sorted by image, then by id. An image's k best are all among its pairs.

    Attributes:
        queries: int64 [c], the image of each pair.
        ids: int64 [c], the stored id of each pair.
    """

    queries: Int64
    ids: Int64


def find_contenders(
    tiles: Iterable[Tile], queries: Float32, k: int, templates: range
) -> list[Contenders]:
    """For each template, what may be among the k best names of each image.

    Args:
        tiles: parts whose shards are `ScoredShard`; each is fetched when needed and no longer
            used once the one after the next is fetched.
        queries: float32 [M, D], unit rows.
        k: 1 to the number of names.
        templates: consecutive template ids.

    Raises:
        ContendersError: too many contenders; fewer images may have few enough.
    """
    found = find_pairs(tiles, queries, k, templates)
    return contenders(found, len(queries), k, len(templates))


def find_pairs(tiles: Iterable[Tile], queries: Float32, k: int, templates: range) -> Pairs:
    """As `find_contenders`, with bounds, so that pairs of other tiles can be added."""
    # The same arrays for every part, so that values derived from them are cached.
    blocks = [queries[i : i + QUERY_BLOCK] for i in range(0, len(queries), QUERY_BLOCK)]
    scan = _Scan(blocks, k, templates)
    with one_blas_thread(), ThreadPoolExecutor(workers()) as pool:
        before: list[Future[None]] = []
        for tile in tiles:
            now = [pool.submit(scan.scan, tile, run) for run in scan.runs(tile)]
            _wait(before)
            before = now
        _wait(before)
    return scan.joined()


def _wait(jobs: Sequence[Future[None]]) -> None:
    for job in jobs:
        job.result()


class Pairs(NamedTuple):
    """Template, image and stored id of each pair, and the bounds of its similarity."""

    templates: Int64
    queries: Int64
    ids: Int64
    low: Float64
    high: Float64

    def chosen(self, which: Int64) -> Pairs:
        """Some of them, int64 [n]."""
        return Pairs(
            self.templates[which], self.queries[which], self.ids[which], self.low[which],
            self.high[which],
        )  # fmt: skip


def contenders(found: Pairs, m: int, k: int, templates: int) -> list[Contenders]:
    """For each template, the pairs that can be among the k best of their image, of m."""
    chosen = choose(found, m, k, templates)
    return [Contenders(found.queries[which], found.ids[which]) for which in chosen]


def choose(found: Pairs, m: int, k: int, templates: int) -> list[Int64]:
    """The indices of `contenders` among the found pairs, by image, then by id."""
    order = np.argsort(found.templates.astype(np.int32), kind="stable")
    bounds = np.searchsorted(found.templates[order], np.arange(1, templates))
    return [_left(found, mine, m, k) for mine in np.split(order, bounds)]


def _left(found: Pairs, mine: Int64, m: int, k: int) -> Int64:
    some = found.chosen(mine)
    kept = reaching_kth(some.queries, some.low, some.high, m, k)
    return mine[kept[np.lexsort((some.ids[kept], some.queries[kept]))]]


class _Scan:
    """The pass over all parts: a lower bound of each image's k-th best, and what reaches it.

    Threads may share a template: a bound that one of them lowers again is still valid, and
    `contenders` uses only the pairs.
    """

    def __init__(self, blocks: Sequence[Float32], k: int, templates: range) -> None:
        self._blocks = blocks
        self._k = k
        self._floor = np.full((sum(map(len, blocks)), len(templates)), -np.inf)
        self._templates = templates
        self._found: list[Pairs] = []
        self._count = 0
        self._most = max(MOST_PAIRS, 2 * k * self._floor.size)
        self._lock = Lock()

    def runs(self, tile: Tile) -> list[slice]:
        """The wanted templates of a part, in runs that are scored together."""
        assert isinstance(tile.shard, ScoredShard)
        count = 1  # only whole templates are contiguous
        if tile.count <= ROW_BLOCK:
            count = max(1, tile.shard.score_block // (tile.count * max(map(len, self._blocks))))
        begin = max(0, self._templates.start - tile.first_template)
        stop = min(len(tile.errors), self._templates.stop - tile.first_template)
        return [slice(start, min(start + count, stop)) for start in range(begin, stop, count)]

    def scan(self, tile: Tile, templates: slice) -> None:
        """Scores all rows of a run of a part's templates."""
        shard = tile.shard
        assert isinstance(shard, ScoredShard)
        count = tile.count
        stored = tile.errors[templates] + TIE
        for start in range(0, count, ROW_BLOCK):
            rows = slice(start, min(start + ROW_BLOCK, count))
            gone = tile.removed[(tile.removed >= start) & (tile.removed < rows.stop)] - start
            for number, block in enumerate(self._blocks):
                scores = shard.scores(templates, rows, block)
                scores = replace(scores, error=scores.error + stored)
                first_template = tile.first_template + templates.start
                best = scores.best()
                everywhere = np.indices(best.shape)
                places = (everywhere[0], everywhere[1])
                highest = scores.highest(best, places)
                right = (scores.lowest(best, places) <= MOST).all(axis=0)  # False for NaN
                if not right.all():
                    raise not_unit(tile, first_template + int(right.argmin()))
                column = first_template - self._templates.start
                first = (number * QUERY_BLOCK, column, tile.first + start)
                self._keep(scores, best, highest, gone, first)

    def _keep(
        self, scores: Scores, best: Float64, highest: Float64, gone: Int64,
        first: tuple[int, int, int],
    ) -> None:  # fmt: skip
        m, t = highest.shape
        floor = self._floor[first[0] : first[0] + m, first[1] : first[1] + t]
        mine, templates = np.nonzero(highest >= floor)
        reach = (mine, templates)
        products = scores.rows(reach) if len(mine) else np.empty((0, self._k), np.float32)
        if not products.size:
            return
        products[:, gone] = -np.inf
        if products.shape[1] - len(gone) >= self._k:
            known = self._k == 1 and not len(gone)
            kth = best[reach] if known else _kth_largest(products, self._k).astype(np.float64)
            floor[reach] = np.maximum(floor[reach], scores.lowest(kth, reach))
        self._add(scores, products, reach, floor[reach], first)

    def _add(
        self, scores: Scores, products: Float32, reach: Places, floor: Float64,
        first: tuple[int, int, int],
    ) -> None:  # fmt: skip
        with np.errstate(over="ignore"):
            least = scores.reaching(floor, reach).astype(np.float32)
        which, rows = _at_least(products, least)
        places = (reach[0][which], reach[1][which])
        chosen = products[which, rows].astype(np.float64)
        low, high = scores.lowest(chosen, places), scores.highest(chosen, places)
        found = Pairs(places[1] + first[1], places[0] + first[0], rows + first[2], low, high)
        with self._lock:
            self._found.append(found)
            self._count += len(which)
            if self._count > 2 * self._most:
                self._narrow()

    def _narrow(self) -> None:
        """Drops pairs that later ones have ruled out, so that memory is bounded."""
        kept = narrowest(self.joined(), len(self._floor), self._k, self._floor.size)
        if len(kept.ids) > self._most:
            raise ContendersError(
                f"{len(kept.ids):,} pairs of image and name are nearly equally similar: names have "
                "the same embedding; check the index with: idia-index verify"
            )
        self._found = [kept]
        self._count = len(kept.ids)

    def joined(self) -> Pairs:
        """All pairs found."""
        return join(self._found)


def join(found: Sequence[Pairs]) -> Pairs:
    """All pairs of several."""
    return Pairs(*map(np.concatenate, zip(*found, strict=True)))


def narrowest(found: Pairs, m: int, k: int, places: int) -> Pairs:
    """The pairs that can be among the k best of their image and template, of `places` in all."""
    at = found.templates * m + found.queries
    return found.chosen(reaching_kth(at, found.low, found.high, places, k))


def reaching_kth(queries: Int64, low: Float64, high: Float64, m: int, k: int) -> Int64:
    """Indices of the pairs that can be among their image's k best, int64 ascending.

    Args:
        queries: int64 [c], the image of each pair.
        low: float64 [c], lower bound of each pair's similarity.
        high: float64 [c], the most.
    """
    order = np.lexsort((-low, queries))
    ranked = queries[order]
    kth = np.minimum(np.searchsorted(ranked, np.arange(m)) + k - 1, len(order) - 1)
    floor = np.where(ranked[kth] == np.arange(m), low[order[kth]], -np.inf)
    return np.flatnonzero(high >= floor[queries])


def _kth_largest(products: Float32, k: int) -> Float32:
    if k == 1:
        best: Float32 = products.max(axis=1)
        return best
    place = products.shape[1] - k
    kth: Float32 = np.partition(products, place, axis=1)[:, place]
    return kth


def _at_least(products: Float32, least: Float32) -> tuple[Int64, Int64]:
    """Rows and columns of products [c, n] that reach their row's `least`, or nearly."""
    with np.errstate(over="ignore"):  # below the smallest float is minus infinity
        below = np.nextafter(least, np.float32(-np.inf))  # it was rounded to float32
    below = np.maximum(below, np.finfo(np.float32).min)  # removed rows are below that
    which, rows = np.divmod(np.flatnonzero(products >= below[:, None]), products.shape[1])
    return which, rows
