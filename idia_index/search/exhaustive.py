"""Finds the k best names from all similarities, which is faster if k is a large share of them.

Comparing contenders one by one takes about twenty times as long per pair as one float64 product
of all, which rounds slightly differently. If that could change the similarity rounded to float32,
the pair is compared as everywhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from idia_index.errors import IdiaIndexError
from idia_index.plugins import Float64
from idia_index.search.rerank import similarity
from idia_index.search.scan import MOST, Tile, not_unit
from idia_index.support.threads import workers
from idia_index.types import Float32, Int64

PER_NAME = 32  # up to this many names per name wanted, this way is faster
MOST_NAMES = 1 << 16
_BLOCK = 1 << 17  # similarities ranked at a time, to stay in the CPU cache
_PRODUCT = 32  # blocks per product


def is_shorter(names: int, k: int) -> bool:
    """Whether the k best of `count` names are found faster this way."""
    return k > 1 and names <= min(PER_NAME * k, MOST_NAMES)


def exhaustive_topk(
    tiles: Sequence[Tile], queries: Float32, k: int, templates: range
) -> tuple[Float32, Int64]:
    """The k best names of each image in each template, by their stored rows.

    Returns:
        similarities float32 [T, M, k], descending, and stored ids int64 [T, M, k]; equal
        similarities are in ascending order of id.
    """
    similarities = np.empty((len(templates), len(queries), k), np.float32)
    ids = np.empty(similarities.shape, np.int64)
    doubled = queries.astype(np.float64)

    def finish(template: int, part: slice, exact: Float64, stored: Int64, rows: Float32) -> None:
        with np.errstate(all="ignore"):  # NaN rows are found by their similarities
            found = _to_float32(exact, queries[part], rows)
        if not found.max() <= max(_longest(tile, template) for tile in tiles):
            raise _wrong(tiles, template)
        place = template - templates.start
        similarities[place, part], places = largest(found, k)
        ids[place, part] = stored[places]

    with ThreadPoolExecutor(workers()) as pool:
        before: list[Future[None]] = []
        for template in templates:
            stored, rows = _rows(tiles, template)
            columns = rows.T.astype(np.float64)
            step = max(1, _BLOCK // len(stored))
            for start in range(0, len(queries), _PRODUCT * step):
                # One large product: the threads of small ones wait for each other.
                with np.errstate(all="ignore"):  # NaN rows are found by the result
                    exact = doubled[start : start + _PRODUCT * step] @ columns
                now = [
                    pool.submit(
                        finish, template, slice(start + i, min(start + i + step, len(queries))),
                        exact[i : i + step], stored, rows,
                    )
                    for i in range(0, len(exact), step)
                ]  # fmt: skip
                for job in before:
                    job.result()
                before = now
        for job in before:
            job.result()
    return similarities, ids


def _rows(tiles: Sequence[Tile], template: int) -> tuple[Int64, Float32]:
    """Stored ids int64 [n], ascending, and rows float32 [n, D] of a template, without removed."""
    ids, rows = [], []
    for tile in tiles:
        if _has(tile, template):
            left = np.setdiff1d(np.arange(tile.count), tile.removed, assume_unique=True)
            ids.append(left + tile.first)
            rows.append(tile.shard.text_embeddings(template - tile.first_template, left))
    return np.concatenate(ids), np.concatenate(rows)


def _wrong(tiles: Sequence[Tile], template: int) -> IdiaIndexError:
    """The error for a template with an impossible similarity, naming the file."""
    for tile in tiles:
        _, rows = _rows([tile], template) if _has(tile, template) else (None, np.eye(1))
        longest = _longest(tile, template)
        if not (np.linalg.norm(rows.astype(np.float64), axis=1) <= longest).all():
            return not_unit(tile, template)
    return IdiaIndexError("image embeddings are not of unit length")


def _longest(tile: Tile, template: int) -> float:
    """The maximum length of a row of a template, including rounding; 0 if there is none."""
    lost = tile.errors[template - tile.first_template] if _has(tile, template) else -MOST
    return MOST + float(lost)


def _has(tile: Tile, template: int) -> bool:
    return tile.first_template <= template < tile.first_template + len(tile.errors)


def _to_float32(exact: Float64, queries: Float32, rows: Float32) -> Float32:
    """Products float64 [M, n], overwritten, rounded as `search.similarity` does."""
    # Twice the error bound of a float64 dot product in any summation order.
    longest = np.linalg.norm(queries, axis=1).max() * np.linalg.norm(rows, axis=1).max()
    off = 2.1 * rows.shape[1] * 2.0**-53 * float(longest)
    exact += off
    found: Float32 = exact.astype(np.float32)
    exact -= 2 * off
    m, n = np.nonzero(found != exact.astype(np.float32))
    found[m, n] = similarity(queries[m], rows[n])
    return found


def largest(found: Float32, k: int) -> tuple[Float32, Int64]:
    """The k largest of each row, descending, and their indices; ties by ascending index."""
    bits = found.view(np.int32)
    # Integers in the descending order of the floats: what is above zero, from its bits.
    descending = np.where(bits < 0, bits & 0x7FFFFFFF, -bits).astype(np.int64)
    descending <<= 32
    descending |= np.arange(found.shape[1])
    best = np.sort(np.partition(descending, k - 1, axis=1)[:, :k], axis=1)
    places = best & 0xFFFFFFFF
    return np.take_along_axis(found, places, axis=1), places
