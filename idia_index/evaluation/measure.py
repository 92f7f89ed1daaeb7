"""One search -> `Measured`: predictions, the best other name, and smaller pools of candidates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from idia_index.decide.results import Prepared
from idia_index.evaluation.draws import shuffled
from idia_index.evaluation.measured import Measured
from idia_index.search.index import Index
from idia_index.types import CountProgress, Float32, Int64

DEPTH = 64
"""Names kept of a search: deep enough that a pool of a tenth leaves 1 in 850 predictions open."""

POOL_SHARES = (0.5, 0.2, 0.1)
_BLOCK = 2048


@dataclass(frozen=True)
class _Top:
    """The best names of a block of images: similarities float32 and ids int64 [T, B, k]."""

    similarities: Float32
    ids: Int64
    is_true: NDArray[np.bool_]

    def first(self, allowed: NDArray[np.bool_]) -> tuple[Int64, Float32, NDArray[np.bool_]]:
        """The first allowed name: ids [T, B], similarities [T, B], and whether there is one."""
        place = allowed.argmax(axis=2)[:, :, None]
        ids = np.take_along_axis(self.ids, place, axis=2)[:, :, 0]
        similarities = np.take_along_axis(self.similarities, place, axis=2)[:, :, 0]
        return ids, similarities, np.take_along_axis(allowed, place, axis=2)[:, :, 0]


def measure(prepared: Prepared, seed: int, progress: CountProgress) -> Measured:
    """Searches every image once, among all candidates.

    Args:
        prepared: images and candidates.
        seed: of the order in which candidates leave the smaller pools.
    """
    index, queries = prepared.index, prepared.embeddings
    names = np.array(prepared.name_ids, np.int64)[prepared.owners]
    order = shuffled(seed, len(index), 0x9001)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    sizes = [size for share in POOL_SHARES if (size := round(share * len(index))) >= 2]
    blocks = []
    for start in range(0, len(queries), _BLOCK):
        here = slice(start, min(start + _BLOCK, len(queries)))
        top = _search(index, queries[here], names[here])
        blocks.append(_read(top, rank, sizes, len(index) + np.arange(here.start, here.stop)))
        progress(here.stop, len(queries))
    joined = {key: np.concatenate([b[key] for b in blocks], axis=-1) for key in blocks[0]}
    pools = joined.pop("pools")
    images = np.bincount(prepared.owners, minlength=len(prepared.subjects))
    return Measured(
        offsets=np.concatenate(([0], np.cumsum(images))).astype(np.int64),
        name_ids=np.array(prepared.name_ids, np.int64),
        true=true_similarities(index, queries, names),
        pool_sizes=np.array(sizes, np.int64),
        pool_predictions=pools,
        pool_unknown=(pools >= len(index)).mean(axis=(1, 2)) if sizes else np.zeros(0),
        **joined,
    )


def _search(index: Index, queries: Float32, names: Int64) -> _Top:
    similarities, ids = index.search(queries, k=min(DEPTH, len(index)))
    return _Top(similarities, ids, ids == names[None, :, None])


def _read(
    top: _Top, rank: Int64, sizes: list[int], beyond: Int64
) -> dict[str, NDArray[np.generic]]:
    """The arrays of a block, named as in `Measured`; `pools` int64 [L, T, B]."""
    rivals, _, found = top.first(~top.is_true)
    last = min(1, top.ids.shape[2] - 1)
    pools = np.empty((len(sizes), *rivals.shape), np.int64)
    for number, size in enumerate(sizes):
        # The true name always stays. An image whose names all left the pool is open; an id of
        # its own lets it vote for nobody.
        ids, _, known = top.first(top.is_true | (rank[top.ids] < size))
        pools[number] = np.where(known, ids, beyond)
    return {
        "predictions": top.ids[:, :, 0],
        "top": top.similarities[:, :, 0],
        "rivals": np.where(found, rivals, -1),
        "second": top.similarities[:, :, last] if last else np.full(rivals.shape, -1, np.float32),
        "pools": pools,
    }


def true_similarities(index: Index, queries: Float32, names: Int64) -> Float32:
    """Cosine similarity float32 [T, M] of images [M, D] with one name id each, int64 [M]."""
    unique, owner = np.unique(names, return_inverse=True)
    out = np.empty((len(index.templates), len(queries)), np.float32)
    for template in range(len(out)):
        rows = index.text_embeddings(template, unique)
        for start in range(0, len(queries), _BLOCK):
            here = slice(start, start + _BLOCK)
            out[template, here] = np.einsum("md,md->m", queries[here], rows[owner[here]])
    return out


def mean_text_embeddings(index: Index, names: Int64) -> NDArray[np.float64]:
    """Mean over the templates of the text embeddings of name ids int64 [U]; float64 [U, D]."""
    total = np.zeros((len(names), index.manifest.plan.fingerprint.dim))
    for template in range(len(index.templates)):
        total += index.text_embeddings(template, names)
    return total / len(index.templates)


def mean_image_embeddings(prepared: Prepared) -> NDArray[np.float64]:
    """Mean image embedding of each subject, float64 [P, D], not of unit length."""
    total = np.zeros((len(prepared.subjects), prepared.embeddings.shape[1]))
    np.add.at(total, prepared.owners, prepared.embeddings)
    return total / np.bincount(prepared.owners, minlength=len(total))[:, None]
