"""The index type of labelers: names and templates without vectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import ClassVar

import numpy as np

from idia_index.errors import InputError
from idia_index.plugins import IndexType, SearchedShard
from idia_index.types import Float32, Int64

NO_VECTORS = "an index of labels holds no vectors: not available from labels alone"


class LabelsType(IndexType):
    """Stores only the number of rows; a row is a single meaningless number."""

    name: ClassVar[str] = "labels"
    exact: ClassVar[bool] = True
    suffix: ClassVar[str] = ".labels.json"

    def self_test(self) -> str:
        """Needs nothing."""
        return "stores names and templates, no vectors"

    def write_shard(self, path: Path, text_embeddings: Float32) -> None:
        """Writes only the shape; raises InputError for real rows."""
        if text_embeddings.shape[2] != 1:
            raise InputError("the index type 'labels' is for labelers; build with --labeler NAME")
        path.write_text(json.dumps(list(text_embeddings.shape)), encoding="ascii")

    def open_shard(self, path: Path, shape: tuple[int, int, int]) -> LabelsShard:
        """Opens a file of that shape; raises InputError for another."""
        try:
            found = json.loads(path.read_text(encoding="ascii"))
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: not a file of the index type 'labels' ({error})") from error
        if found != list(shape):
            raise InputError(f"{path}: holds {found}, not {list(shape)}; rebuild the index")
        return LabelsShard()


class LabelsShard(SearchedShard):
    """Rows of one number, 1."""

    def text_embeddings(self, template: int, rows: Int64) -> Float32:
        """Ones float32 [len(rows), 1]."""
        return np.ones((len(rows), 1), np.float32)

    def search(self, queries: Float32, k: int) -> tuple[Float32, Int64]:
        """Raises InputError: there is nothing to search."""
        raise InputError(NO_VECTORS)
