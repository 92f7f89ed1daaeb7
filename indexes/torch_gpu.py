"""Scores the files of flat with PyTorch, on a GPU if there is one.

For machines with a GPU but no FAISS for it. Rows stay on the device as far as they fit; the rest
is copied through pinned memory for every search. Scores stay there too: a search gets the largest
of a run, and all of a run only if one of them can be an answer.
Not measured on a GPU by its authors.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from idia_index.errors import MissingExtraError
from idia_index.indexes.flat import FlatType, FloatShard
from idia_index.indexes.products import rounding_bound, tensor_scores, torch_view
from idia_index.plugins import Scores
from idia_index.support.tf32 import without_tf32
from idia_index.types import Float32

try:
    import torch
except ImportError as error:
    raise MissingExtraError("the torch index", "torch", "torch") from error

SHARE = 0.7  # rows stay on the device while at most this share of its memory is in use


def device() -> Any:
    """The device that products run on."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


class DeviceShard(FloatShard):
    """Float32 rows [T, n, D], scored on a device.

    Rows stay there while there is room; a search reads all rows in the same order, so evicting
    some for others would gain nothing.
    """

    score_block = 1 << 26

    def __init__(self, rows: FloatShard, where: Any) -> None:
        super().__init__(rows._vectors, rows._owner)
        self._device = where
        self._pinned = where.type == "cuda"
        self._resident: Any = None
        self._asked: tuple[Float32, Any] | None = None

    def scores(self, templates: slice, rows: slice, queries: Float32) -> Scores:
        try:
            with torch.inference_mode(), without_tf32(torch):
                product = self.product(self._there(queries), self._on_device(templates)[:, rows])
        except torch.cuda.OutOfMemoryError:  # the same scores, within their bound
            self._resident = None
            torch.cuda.empty_cache()
            return super().scores(templates, rows, queries)
        shape = product.shape[:2]
        error = np.full(shape, rounding_bound(queries.shape[1]))
        return tensor_scores(product, error, np.zeros(shape), 0.0)

    def product(self, queries: Any, vectors: Any) -> Any:
        """Products [M, t, n] of queries [M, D] and rows [t, n, D]."""
        t, n, dim = vectors.shape
        return torch.mm(queries, vectors.reshape(-1, dim).T).view(-1, t, n)

    def _there(self, queries: Float32) -> Any:
        """Queries on the device, cached: a search passes the same array repeatedly."""
        kept = self._asked
        if kept is None or kept[0] is not queries:
            kept = self._asked = queries, torch_view(torch, queries).to(self._device)
        return kept[1]

    def _on_device(self, templates: slice) -> Any:
        """Rows [t, n, D] of a run of templates."""
        kept = self._resident
        if kept is None and self._has_room():
            kept = self._resident = self._copied(self._vectors)
        return self._copied(self._vectors[templates]) if kept is None else kept[templates]

    def _copied(self, stored: Float32) -> Any:
        staged = torch.empty(stored.shape, pin_memory=self._pinned)
        staged.numpy()[:] = stored
        return staged.to(self._device, non_blocking=True)

    def _has_room(self) -> bool:
        if not self._pinned:
            return True
        free, total = torch.cuda.mem_get_info(self._device)
        return bool(free > (1 - SHARE) * total)


class TorchType(FlatType):
    """Exact float32, on a GPU if there is one."""

    name = "torch"

    def self_test(self) -> str:
        super().self_test()
        where = "GPU with PyTorch (speed not measured)"
        return f"searches on the {where if device().type == 'cuda' else 'CPU with PyTorch'}"

    def open_shard(self, path: Path, shape: tuple[int, int, int]) -> FloatShard:
        rows, where = super().open_shard(path, shape), device()
        return rows if where.type == "cpu" else DeviceShard(rows, where)
