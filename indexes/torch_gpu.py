"""The files of flat, scored by PyTorch on a GPU where there is one.

For machines with a GPU and no FAISS for it. Rows stay on the device while they fit; what does not
fit is copied there whenever it is searched. Not measured on a GPU by its authors.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from idia_index.errors import MissingExtraError
from idia_index.indexes.flat import FlatType, FloatShard
from idia_index.indexes.products import rounding_bound, torch_view
from idia_index.plugins import Scores
from idia_index.types import Float32

try:
    import torch
except ImportError as error:
    raise MissingExtraError("the torch index", "torch", "torch") from error

SHARE = 0.7  # of the device's memory, that may be in use when rows are to stay there


def device() -> Any:
    """The device that products run on."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@contextmanager
def _full_float32() -> Iterator[None]:
    """No TF32, whose ten bits would break the bound; the setting is put back."""
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


class TorchShard(FloatShard):
    """Float32 rows [T, n, D], scored where `device` says.

    A template's rows stay on the device once they were there, as long as there is room; a search
    reads all rows in the same order, so that letting go of some for others would gain nothing.
    """

    def __init__(self, rows: FloatShard) -> None:
        super().__init__(rows._vectors, rows._owner)
        self._resident: dict[int, Any] = {}

    def scores(self, templates: slice, rows: slice, queries: Float32) -> Scores:
        if device().type == "cpu":
            return super().scores(templates, rows, queries)
        with torch.inference_mode(), _full_float32():
            found = []
            for template in range(templates.start, templates.stop):
                vectors = self._on_device(template)[rows]
                asked = torch_view(torch, queries).to(vectors.device)
                found.append(torch.mm(asked, vectors.T).cpu().numpy())
        return Scores.of_array(np.stack(found, axis=1), rounding_bound(queries.shape[1]))

    def _on_device(self, template: int) -> Any:
        if template in self._resident:
            return self._resident[template]
        vectors = torch_view(torch, self.vectors(template)).to(device())
        free, total = torch.cuda.mem_get_info()
        if free > (1 - SHARE) * total:
            self._resident[template] = vectors
        return vectors


class TorchType(FlatType):
    """Exact, float32, on a GPU where there is one."""

    name = "torch"

    def self_test(self) -> str:
        super().self_test()
        where = "GPU with PyTorch (speed not measured)"
        return f"searches on the {where if device().type == 'cuda' else 'CPU with PyTorch'}"

    def open_shard(self, path: Path, shape: tuple[int, int, int]) -> TorchShard:
        return TorchShard(super().open_shard(path, shape))
