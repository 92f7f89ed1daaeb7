"""Decides contenders: certified by one pass, compared exactly, or encoded again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from idia_index.errors import InputError
from idia_index.plugins import Float64
from idia_index.search.rerank import RERANK_BLOCK, rank, similarity
from idia_index.search.scan import TIE, Contenders, reaching_kth
from idia_index.support.threads import workers
from idia_index.types import Float32, Int64

# Maximum prompts encoded again per answer (an image in a template), and minimum in total. Honest
# indexes have needed 0.2 to 10 (docs/robustness.md); one that claims large errors, or whose rows
# are all alike, could demand all of its prompts.
AGAIN = 64
AGAIN_FEW = 1 << 17

# (templates [n], stored ids [n], ascending) -> their rows, float32 [n, D]
Rows = Callable[[Int64, Int64], Float32]


@dataclass(frozen=True)
class Answer:
    """The answer of a search and how it was decided.

    Attributes:
        similarities: float32 [T, M, k], descending; those of stored rows for certified answers.
        name_ids: int64 [T, M, k].
        certified: bool [T, M], whether the scores alone proved the name.
        encoded: prompts that were encoded again to decide the others.
    """

    similarities: Float32
    name_ids: Int64
    certified: NDArray[np.bool_]
    encoded: int = 0

    @classmethod
    def empty(cls, templates: int, k: int) -> Answer:
        """The answer for no images."""
        shape = (templates, 0, k)
        return cls(np.empty(shape, np.float32), np.empty(shape, np.int64), np.ones(shape[:2], bool))

    @classmethod
    def unproved(cls, similarities: Float32, name_ids: Int64) -> Answer:
        """An answer of exact similarities, none proved by scores alone."""
        return cls(similarities, name_ids, np.zeros(name_ids.shape[:2], np.bool_))

    @classmethod
    def joined(cls, first: Answer, second: Answer) -> Answer:
        """Combines the answers for two sets of images."""
        return cls(
            np.concatenate([first.similarities, second.similarities], axis=1),
            np.concatenate([first.name_ids, second.name_ids], axis=1),
            np.concatenate([first.certified, second.certified], axis=1),
            first.encoded + second.encoded,
        )


def first_replaced(answer: Answer, first: Answer) -> Answer:
    """An answer of k names with the first replaced by that of another, one-name answer."""
    winner = first.name_ids
    rest = answer.name_ids != winner
    # The winner moves to the front; if it was not among them, the last is dropped.
    place = np.where(rest.all(axis=2), rest.shape[2] - 1, np.argmin(rest, axis=2))
    order = np.argsort(np.arange(rest.shape[2]) != place[:, :, None], axis=2, kind="stable")
    ids = np.take_along_axis(answer.name_ids, order, axis=2)
    similarities = np.take_along_axis(answer.similarities, order, axis=2)
    ids[:, :, :1] = winner
    # No other is more similar than the winner, whatever their stored rows say.
    similarities = np.minimum(similarities, first.similarities)
    similarities[:, :, :1] = first.similarities
    return Answer(similarities, ids, first.certified, first.encoded)


@dataclass
class Proposals:
    """The contenders of a search.

    Attributes:
        queries: float32 [M, D].
        k: number of names wanted.
        pairs: contenders of each template.
        similarities: similarities of each template's pairs to stored rows, float32 [c].
        encoded: by template, rows encoded again, for the ids from `doubtful`.
    """

    queries: Float32
    k: int
    pairs: Sequence[Contenders]
    similarities: Sequence[Float32]
    encoded: dict[int, Float32] = field(default_factory=dict)


def compare(queries: Float32, k: int, pairs: Sequence[Contenders], rows: Rows) -> Proposals:
    """Contenders with the similarities of their stored rows, read shard by shard."""
    counts = [len(part.ids) for part in pairs]
    images = np.concatenate([part.queries for part in pairs])
    ids = np.concatenate([part.ids for part in pairs])
    templates = np.repeat(np.arange(len(pairs)), counts)
    found = np.empty(len(ids), np.float32)
    order = np.argsort(ids, kind="stable")

    def some(start: int) -> None:
        block = order[start : start + RERANK_BLOCK]
        found[block] = similarity(queries[images[block]], rows(templates[block], ids[block]))

    with ThreadPoolExecutor(workers()) as pool:
        list(pool.map(some, range(0, len(ids), RERANK_BLOCK)))
    return Proposals(queries, k, pairs, np.split(found, np.cumsum(counts)[:-1]))


def narrowed(proposals: Proposals, errors: Float64) -> Proposals:
    """Without the pairs ruled out by their stored rows, whose error is at most errors [T]."""
    m, kept_pairs, kept_similarities = len(proposals.queries), [], []
    for pairs, found, error in zip(
        proposals.pairs, proposals.similarities, errors + TIE, strict=True
    ):
        similarities = found.astype(np.float64)
        kept = reaching_kth(
            pairs.queries, similarities - error, similarities + error, m, proposals.k
        )
        kept_pairs.append(Contenders(pairs.queries[kept], pairs.ids[kept]))
        kept_similarities.append(found[kept])
    return replace(proposals, pairs=kept_pairs, similarities=kept_similarities)


def _in_doubt(pairs: Contenders, m: int, k: int) -> NDArray[np.bool_]:
    """Pairs, bool [c], of images whose answer the scores leave undecided."""
    counts = np.bincount(pairs.queries, minlength=m)
    # Among several names, their order is undecided too.
    return np.asarray(counts[pairs.queries] > 1) if k == 1 else np.ones(len(pairs.ids), np.bool_)


def doubtful(proposals: Proposals) -> dict[int, Int64]:
    """By template, the stored ids, ascending, whose prompts must be encoded again."""
    m, k = len(proposals.queries), proposals.k
    found = {
        template: np.unique(pairs.ids[_in_doubt(pairs, m, k)])
        for template, pairs in enumerate(proposals.pairs)
    }
    return {template: ids for template, ids in found.items() if len(ids)}


def check_doubt(doubt: Mapping[int, Int64], proposals: Proposals, error: float, file: str) -> None:
    """Raises InputError if more prompts are in doubt than a search may encode again.

    Args:
        doubt: the result of `doubtful` for the proposals.
        error: the maximum error of a stored row.
        file: the file that states it, for the message.
    """
    answers = len(proposals.queries) * proposals.k * len(proposals.pairs)
    wanted, most = sum(map(len, doubt.values())), max(AGAIN_FEW, AGAIN * answers)
    if wanted > most:
        raise InputError(
            f"{file}: {wanted:,} prompts would have to be encoded again to decide {answers:,} "
            f"answers, more than {most:,}: stored rows have errors of up to {error:.2g}, or are "
            "too similar; check for damage with: idia-index verify, or build with --index "
            "bfloat16-exact"
        )


def settle(proposals: Proposals) -> Answer:
    """Ranks the contenders."""
    m, k = len(proposals.queries), proposals.k
    similarities, ids, certified = [], [], []
    for template, pairs in enumerate(proposals.pairs):
        scores = proposals.similarities[template]
        doubt = _in_doubt(pairs, m, k)
        if template in proposals.encoded:
            scores = scores.copy()
            known = np.unique(pairs.ids[doubt])
            rows = proposals.encoded[template][np.searchsorted(known, pairs.ids[doubt])]
            scores[doubt] = similarity(proposals.queries[pairs.queries[doubt]], rows)
        best = rank(pairs, scores, m, k)
        similarities.append(best[0])
        ids.append(best[1])
        sure = np.ones(m, np.bool_)
        sure[pairs.queries[doubt]] = False
        certified.append(sure)
    encoded = sum(len(rows) for rows in proposals.encoded.values())
    return Answer(np.stack(similarities), np.stack(ids), np.stack(certified), encoded)
