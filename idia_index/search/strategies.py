"""Search strategies: one class each, all with the same answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from idia_index.errors import IdiaIndexError
from idia_index.search.certify import (
    Answer,
    Proposals,
    check_doubt,
    compare,
    doubtful,
    narrowed,
    settle,
)
from idia_index.search.exhaustive import exhaustive_topk
from idia_index.search.rerank import merge_topk, without_removed
from idia_index.search.rows import IndexedRows
from idia_index.search.scan import ContendersError, find_contenders
from idia_index.types import Float32, Int64

# (template, stored ids [n]) -> text embeddings of the prompts, encoded again, float32 [n, D]
Encode = Callable[[int, Int64], Float32]


# (images [M, D], k, templates, whether storage errors count) -> what can be the answer
Spread = Callable[[Float32, int, range, bool], Proposals]


@dataclass(frozen=True)
class Strategy(ABC):
    """A way to find the k most similar names of some templates.

    Attributes:
        rows: the rows to search.
        templates: consecutive template ids.
    """

    rows: IndexedRows
    templates: range

    @abstractmethod
    def answer(self, queries: Float32, k: int) -> Answer:
        """The answer for images float32 [M, D], M at least 1, with stored ids."""


class ShardByShard(Strategy):
    """Each shard searches itself, and the best of all shards are kept."""

    def answer(self, queries: Float32, k: int) -> Answer:
        found: dict[int, list[tuple[Float32, Int64]]] = {t: [] for t in self.templates}
        for tile in self.rows.tiles():
            similarities, rows = without_removed(tile.shard, tile.removed, queries, k)
            ids = np.where(rows >= 0, rows + tile.first, -1)
            for local in range(len(tile.errors)):
                part = slice(local, local + 1)
                if tile.first_template + local in found:
                    found[tile.first_template + local].append((similarities[part], ids[part]))
        best = [merge_topk(found[t], k) for t in self.templates]
        ids = np.concatenate([ids for _, ids in best])
        if ids.min() < 0:  # id -1 would count as a vote for the last name
            raise IdiaIndexError(
                f"the index type found fewer than {k} names for an image; build with --index flat"
            )
        return Answer.unproved(np.concatenate([found for found, _ in best]), ids)


class Exhaustive(Strategy):
    """Computes all similarities, which is faster if k is a large share of the names."""

    def answer(self, queries: Float32, k: int) -> Answer:
        return Answer.unproved(
            *exhaustive_topk(list(self.rows.tiles()), queries, k, self.templates)
        )


@dataclass(frozen=True)
class Scan(Strategy):
    """Scans bounded scores once, then compares the contenders exactly.

    Attributes:
        spread: scans on an engine's workers; None: scans here.
        certify: whether storage errors count.
    """

    spread: Spread | None = field(default=None, kw_only=True)
    certify: ClassVar[bool] = False

    def answer(self, queries: Float32, k: int) -> Answer:
        try:
            proposals = self._proposals(queries, k)
        except ContendersError:
            if len(queries) == 1:
                raise
            half = len(queries) // 2
            return Answer.joined(self.answer(queries[:half], k), self.answer(queries[half:], k))
        return settle(self._decided(proposals))

    def _proposals(self, queries: Float32, k: int) -> Proposals:
        if self.spread is not None:
            return self.spread(queries, k, self.templates, self.certify)
        tiles = self.rows.tiles(self.certify)
        pairs = find_contenders(tiles, queries, k, self.templates)
        return compare(queries, k, pairs, self._of_pairs)

    def _decided(self, proposals: Proposals) -> Proposals:
        return proposals

    def _of_pairs(self, templates: Int64, ids: Int64) -> Float32:
        return self.rows.of_pairs(templates + self.templates.start, ids)


@dataclass(frozen=True)
class CertifiedScan(Scan):
    """A scan of quantized rows with the names of float32.

    Attributes:
        encode: encodes prompts again if the stored rows' error leaves several names possible.
        file: the file that states this error, for messages.
    """

    encode: Encode
    file: str
    certify: ClassVar[bool] = True

    def _decided(self, proposals: Proposals) -> Proposals:
        errors = self.rows.errors()
        proposals = narrowed(proposals, errors)
        doubt = doubtful(proposals)
        check_doubt(doubt, proposals, float(errors.max()), self.file)
        proposals.encoded = {t: self.encode(t, ids) for t, ids in doubt.items()}
        return proposals
