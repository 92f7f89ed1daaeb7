"""What an index type implements: shards that are written, opened and searched."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import numpy as np

from idia_index.errors import IdiaIndexError
from idia_index.plugins.scores import Scores
from idia_index.types import Float32, Int64


class Shard(ABC):
    """The stored text embeddings [T, n, D] of all T templates for one run of n names.

    A shard is either a `ScoredShard`, which the core searches, or a `SearchedShard`, which
    searches itself.
    """

    @abstractmethod
    def text_embeddings(self, template: int, rows: Int64) -> Float32:
        """Rows of one template, float32 [len(rows), D]."""

    def rows(self, templates: Int64, rows: Int64) -> Float32:
        """Rows of several templates, float32 [c, D], as `text_embeddings` returns each."""
        order = np.argsort(templates, kind="stable")
        runs = np.split(order, np.flatnonzero(np.diff(templates[order])) + 1)
        found = [self.text_embeddings(int(templates[r[0]]), rows[r]) for r in runs if len(r)]
        out = np.concatenate(found)
        out[order] = out.copy()
        return out


class ScoredShard(Shard):
    """A shard whose rows are scored in runs, with a bound on the error of the scores.

    The core searches it: one pass over the scores leaves few rows that can be the answer, and
    these are compared exactly. An index type that stores less than float32 must be of this kind,
    because only the bound makes its answers those of float32.

    Attributes:
        score_block: number of scores of several templates computed in one product.
    """

    score_block: ClassVar[int] = 1 << 19  # they fit in a processor's cache

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int, int]:
        """T, n and D."""

    @abstractmethod
    def scores(self, templates: slice, rows: slice, queries: Float32) -> Scores:
        """Approximate similarities of a run of rows of a run of templates, with queries [M, D].

        They are those of the rows returned by `text_embeddings`, up to the accompanying bound. May
        run in any thread.
        """


class SearchedShard(Shard):
    """A shard that finds the exact answer itself, for libraries that return only the top k."""

    @abstractmethod
    def search(self, queries: Float32, k: int) -> tuple[Float32, Int64]:
        """The k most similar names of each template for each query.

        Args:
            queries: float32 [M, D], unit rows.
            k: at least 1.

        Returns:
            similarities float32 [T, M, k], descending, and rows int64 [T, M, k] of this shard;
            equal similarities are in ascending order of row. If k exceeds n, the rest has
            similarity -inf and row -1. A similarity is the same to the last bit whatever other
            queries and rows there are, which a float32 matrix product does not guarantee.
        """


class IndexType(ABC):
    """A way to store and search shards; a plugin subclasses it. Instances hold no state.

    Attributes:
        name: the plugin's name, as in `--index`.
        exact: whether it stores the float32 rows; if not, every report on such an index says so.
        suffix: file name suffix of a shard.
        read_share: the leading share of a shard's file that a search reads.
    """

    name: ClassVar[str]
    exact: ClassVar[bool]
    suffix: ClassVar[str]
    read_share: ClassVar[float] = 1.0

    def row_bytes(self, dim: int) -> int:
        """Minimum number of bytes on disk of a row of `dim` numbers; 0 if not stated."""
        return 0

    def self_test(self) -> str:
        """Runs a small search and returns what runs it; raises `IdiaIndexError` if it fails."""
        rows = np.eye(4, dtype=np.float32)[None]
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"rows{self.suffix}"
            self.write_shard(path, rows)
            found = self._best(self.open_shard(path, rows.shape), rows[0])
        if found.tolist() != [0, 1, 2, 3]:
            raise IdiaIndexError(f"the index type {self.name!r} gives wrong answers here")
        return "searches on the CPU"

    def _best(self, shard: Shard, queries: Float32) -> Int64:
        """The most similar row of the first template for each query, int64 [M]."""
        if isinstance(shard, SearchedShard):
            return shard.search(queries, 1)[1][0, :, 0]
        assert isinstance(shard, ScoredShard)
        images = np.arange(len(queries))
        scores = shard.scores(slice(0, 1), slice(0, shard.shape[1]), queries)
        found: Int64 = scores.rows((images, 0 * images)).argmax(axis=1)
        return found

    @abstractmethod
    def write_shard(self, path: Path, text_embeddings: Float32) -> None:
        """Writes float32 [T, n, D] unit rows to a new file."""

    @abstractmethod
    def open_shard(self, path: Path, shape: tuple[int, int, int]) -> Shard:
        """Opens a file of T, n, D rows, mapped into memory where the format allows.

        Raises `InputError`, naming the file, if it does not hold that many rows.
        """
