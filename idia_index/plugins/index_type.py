"""What an index type implements: shards that are written, opened and searched."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

import numpy as np

from idia_index.errors import IdiaIndexError
from idia_index.types import Float32, Int64


class Shard(ABC):
    """The stored text embeddings [T, n, D] of all T templates for one run of n names."""

    @abstractmethod
    def search(self, queries: Float32, k: int) -> tuple[Float32, Int64]:
        """The k most similar names of each template for each query.

        Args:
            queries: float32 [M, D], unit rows.
            k: 1 or more.

        Returns:
            similarities float32 [T, M, k], falling, and rows int64 [T, M, k] of this shard;
            equal similarities stand in the order of their rows. Where k exceeds n, the rest
            has similarity -inf and row -1.
        """

    @abstractmethod
    def text_embeddings(self, template: int, rows: Int64) -> Float32:
        """Rows of one template, float32 [len(rows), D]."""


class IndexKind(ABC):
    """A way to store and search shards; a plugin subclasses it. Instances hold no state.

    Attributes:
        name: the plugin's name, as `--index` takes it.
        exact: whether the answers are those of float32 cosine similarity; an index of a kind
            that is not exact says so in every report.
        suffix: file name suffix of a shard.
        read_share: the leading share of a shard's file that a search reads through.
    """

    name: ClassVar[str]
    exact: ClassVar[bool]
    suffix: ClassVar[str]
    read_share: ClassVar[float] = 1.0

    def row_bytes(self, dim: int) -> int:
        """Bytes on disk of a row of `dim` numbers, at least; 0 where the kind does not say."""
        return 0

    def self_test(self) -> str:
        """Searches a little, and says what runs it; raises `IdiaIndexError` if it does not work."""
        rows = np.eye(4, dtype=np.float32)[None]
        _, found = self.in_memory(rows).search(rows[0], 1)
        if found.ravel().tolist() != [0, 1, 2, 3]:
            raise IdiaIndexError(f"the index kind {self.name!r} gives wrong answers here")
        return "searches on the CPU"

    @abstractmethod
    def write_shard(self, path: Path, text_embeddings: Float32) -> None:
        """Writes float32 [T, n, D] unit rows to a new file."""

    @abstractmethod
    def open_shard(self, path: Path, shape: tuple[int, int, int]) -> Shard:
        """Opens a file of T, n, D rows, mapped into memory where the format allows.

        Raises `InputError`, naming the file, if it does not hold that many rows.
        """

    @abstractmethod
    def in_memory(self, text_embeddings: Float32) -> Shard:
        """A shard of float32 [T, n, D] unit rows that is on no disk (names added on the fly)."""
