"""Per-template search: one pass over the shards, and proof of which rows can be the answer.

A matrix product rounds, and stored rows may be rounded too, so a score is known only to within a
bound. One pass keeps for each image every row whose score could still be among the k best, its
*contenders*; they are then compared once more, exactly. Where there is one contender, the score
alone has decided: the answer is certified. Products that were added up in another order have
other scores and bounds, but the same answer.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from idia_index.errors import IdiaIndexError
from idia_index.protocols import Shard
from idia_index.records import Float32, Int64

Float64 = NDArray[np.float64]

ROW_BLOCK = 4096  # rows and
QUERY_BLOCK = 512  # images of one product: their scores stay in the processor's cache
RERANK_BLOCK = 8192  # rows compared exactly at a time: bounds their memory
# Two similarities that differ by less may be equal once they are rounded to float32.
TIE = 2.0**-23
MOST = 1 + 1e-3  # unit rows have no larger similarity; not-a-number has none


class ScoredShard(Shard):
    """A shard that can score a run of its rows, with a bound on how wrong the scores are."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int, int]:
        """T, n and D."""

    @abstractmethod
    def scores(self, template: int, rows: slice, queries: Float32) -> tuple[Float32, Float64]:
        """Approximate similarities of a run of one template's rows; may run in any thread.

        Returns:
            scores float32 [M, n], which the caller may overwrite, and for each query float64
            [M] the most that a score is off from the similarity, summed without rounding, of
            the row that `text_embeddings` gives.
        """

    def search(self, queries: Float32, k: int) -> tuple[Float32, Int64]:
        t, n, _ = self.shape
        tile = Tile(self, 0, 0, np.zeros(t))
        kept = min(k, n)
        similarities = np.full((t, len(queries), k), -np.inf, np.float32)
        rows = np.full((t, len(queries), k), -1, np.int64)
        for template, found in enumerate(find_contenders([tile], queries, kept, t)):
            vectors = self.text_embeddings(template, found.ids)
            similarities[template, :, :kept], rows[template, :, :kept] = rank(
                found, similarity(queries[found.queries], vectors), len(queries), kept
            )
        return similarities, rows


@dataclass(frozen=True)
class Tile:
    """A shard's part as a search sees it.

    Attributes:
        shard: the part.
        first: stored id of its first row.
        first_template: id of its first template.
        errors: float64 [t], the most that a stored row differs from the one that counts.
        removed: rows that are not to be found, rising.
        file: where its rows are kept, for messages.
    """

    shard: Shard
    first: int
    first_template: int
    errors: Float64
    removed: Int64 = field(default_factory=lambda: np.empty(0, np.int64))
    file: str = "a shard"


@dataclass(frozen=True)
class Contenders:
    """Of one template: pairs of an image and a name that may be among the image's k best.

    Sorted by image, then by id. An image's k best are all among its pairs.

    Attributes:
        queries: int64 [c], the image of each pair.
        ids: int64 [c], the stored id of each pair.
    """

    queries: Int64
    ids: Int64


def similarity(queries: Float32, rows: Float32) -> Float32:
    """Cosine similarities float32 [c] of queries [c, D] with rows [c, D], pair by pair.

    Summed in float64, each pair on its own: far more accurate than the float32 that it is
    rounded to, so equal rows get equal similarities.
    """
    out = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), RERANK_BLOCK):
        part = slice(start, start + RERANK_BLOCK)
        out[part] = (queries[part].astype(np.float64) * rows[part]).sum(axis=1)
    return out


def workers() -> int:
    """Threads that search: the processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def find_contenders(
    tiles: Iterable[Tile], queries: Float32, k: int, templates: int
) -> list[Contenders]:
    """Of each template, what may be among the k best names of each image.

    Args:
        tiles: parts whose shards are `ScoredShard`s; each is asked for when its turn comes, and
            left alone once the one after the next is asked for.
        queries: float32 [M, D], unit rows.
        k: 1 to the number of names.
        templates: T.
    """
    # The very same arrays for every part, so that what is made of them need be made once.
    blocks = [queries[i : i + QUERY_BLOCK] for i in range(0, len(queries), QUERY_BLOCK)]
    scans = [_Scan(blocks, k) for _ in range(templates)]
    with ThreadPoolExecutor(workers()) as pool:
        before: list[Future[None]] = []
        for tile in tiles:
            now = [
                pool.submit(scans[tile.first_template + t].scan, tile, t)
                for t in range(len(tile.errors))
            ]
            _wait(before)
            before = now
        _wait(before)
    return [scan.contenders() for scan in scans]


def _wait(jobs: Sequence[Future[None]]) -> None:
    for job in jobs:
        job.result()


class _Scan:
    """One template's pass: a floor under each image's k-th best, and what reaches it.

    Threads may work on one template at the same time: a floor that one of them lowers again is
    still a floor, and `contenders` starts from the pairs alone.
    """

    def __init__(self, blocks: Sequence[Float32], k: int) -> None:
        self._blocks = blocks
        self._k = k
        self._floor = np.full(sum(map(len, blocks)), -np.inf)
        self._found: list[tuple[Int64, Int64, Float64, Float64]] = []

    def scan(self, tile: Tile, template: int) -> None:
        """Looks at all rows of one template of a part."""
        shard = tile.shard
        assert isinstance(shard, ScoredShard)
        count = shard.shape[1]
        for start in range(0, count, ROW_BLOCK):
            rows = slice(start, min(start + ROW_BLOCK, count))
            gone = tile.removed[(tile.removed >= start) & (tile.removed < rows.stop)] - start
            for number, block in enumerate(self._blocks):
                scores, bounds = shard.scores(template, rows, block)
                if len(gone):
                    scores[:, gone] = -np.inf
                bounds = bounds + (tile.errors[template] + TIE)
                best = scores.max(axis=1).astype(np.float64)
                if not (best - bounds <= MOST).all():  # nor where one of them is no number
                    raise IdiaIndexError(
                        f"{tile.file}: a row of template {tile.first_template + template} is not "
                        "of unit length; find the damage with: idia-index verify"
                    )
                self._keep(scores, best, bounds, number * QUERY_BLOCK, tile.first + start)

    def _keep(
        self, scores: Float32, best: Float64, bounds: Float64, query: int, first: int
    ) -> None:
        floor = self._floor[query : query + len(scores)]
        if scores.shape[1] >= self._k:
            place = scores.shape[1] - self._k
            kth = best if self._k == 1 else np.partition(scores, place, axis=1)[:, place]
            np.maximum(floor, kth - bounds, out=floor)
        reach = np.flatnonzero(best + bounds >= floor)
        least = np.maximum(floor[reach] - bounds[reach], np.finfo(np.float32).min)
        mine, rows = _at_least(scores[reach], least.astype(np.float32))
        chosen = scores[reach[mine], rows].astype(np.float64)
        margin = bounds[reach[mine]]
        self._found.append((reach[mine] + query, rows + first, chosen - margin, chosen + margin))

    def contenders(self) -> Contenders:
        """What is left when every part has been seen."""
        queries, ids, low, high = (np.concatenate(part) for part in zip(*self._found, strict=True))
        order = np.lexsort((-low, queries))
        ranked = queries[order]
        starts = np.searchsorted(ranked, np.arange(len(self._floor)))
        kth = np.minimum(starts + self._k - 1, len(order) - 1)
        enough = ranked[kth] == np.arange(len(self._floor))
        floor = np.where(enough, low[order[kth]], -np.inf)
        kept = np.flatnonzero(high >= floor[queries])
        kept = kept[np.lexsort((ids[kept], queries[kept]))]
        return Contenders(queries[kept], ids[kept])


def _at_least(scores: Float32, least: Float32) -> tuple[Int64, Int64]:
    """Rows and columns of the scores [M, n] that reach their row's `least`, or nearly."""
    with np.errstate(over="ignore"):  # below the least float there is minus infinity
        below = np.nextafter(least, np.float32(-np.inf))  # it was rounded to float32
    if scores.flags.c_contiguous:
        mine, rows = np.divmod(np.flatnonzero(scores >= below[:, None]), scores.shape[1])
    else:
        rows, mine = np.divmod(np.flatnonzero(below <= scores.T), scores.shape[0])
    return mine, rows


def rank(found: Contenders, similarities: Float32, m: int, k: int) -> tuple[Float32, Int64]:
    """The k best of each image's contenders, given the similarity float32 [c] of each pair.

    Returns:
        similarities float32 [M, k], falling, and stored ids int64 [M, k]; equal similarities
        stand in the order of their ids.
    """
    order = np.lexsort((found.ids, -similarities, found.queries))
    starts = np.searchsorted(found.queries, np.arange(m))
    best = order[starts[:, None] + np.arange(k)]
    return similarities[best], found.ids[best]


def merge_topk(found: Sequence[tuple[Float32, Int64]], k: int) -> tuple[Float32, Int64]:
    """The k best of several searches of different names.

    Args:
        found: per shard, in the order of their name ids, similarities float32 [T, M, k] and
            name ids int64 [T, M, k]; -inf and -1 where a shard has fewer than k names.
        k: how many to keep.

    Returns:
        similarities float32 [T, M, k], falling, and name ids int64 [T, M, k]; equal
        similarities stand in the order of their name ids.
    """
    if len(found) == 1:
        return found[0]
    similarities = np.concatenate([part for part, _ in found], axis=2)
    ids = np.concatenate([part for _, part in found], axis=2)
    # A stable sort keeps equal ones in the order of the shards, which is that of the ids.
    best = np.argsort(-similarities, axis=2, kind="stable")[:, :, :k]
    return np.take_along_axis(similarities, best, axis=2), np.take_along_axis(ids, best, axis=2)


def without_removed(
    search: Callable[[Float32, int], tuple[Float32, Int64]],
    removed: Int64,
    queries: Float32,
    k: int,
) -> tuple[Float32, Int64]:
    """A shard's own search, asked for more so that k are left when removed rows are taken out."""
    similarities, rows = search(queries, k + len(removed))
    gone = np.isin(rows, removed)
    similarities[gone], rows[gone] = -np.inf, -1
    order = np.argsort(gone | (rows < 0), axis=2, kind="stable")[:, :, :k]
    return np.take_along_axis(similarities, order, axis=2), np.take_along_axis(rows, order, axis=2)
