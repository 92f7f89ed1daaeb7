"""The files of the flat kind, scored by PyTorch on a GPU where there is one.

For machines with a GPU and no FAISS for it. Parts of the index stay on the device while they fit;
what does not fit is copied there when its turn comes. Not measured on a GPU by its authors.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
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

SHARE = 0.7  # of the device's free memory, for rows that stay there


def device() -> Any:
    """The device that products run on."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


class _Resident:
    """Rows that are on the device, the last used ones of all open indexes."""

    def __init__(self) -> None:
        self._rows: OrderedDict[tuple[int, int], Any] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, owner: FloatShard, template: int) -> Any:
        """One template's rows of a shard, copied there if they are not."""
        place = (id(owner), template)
        with self._lock:
            if place in self._rows:
                self._rows.move_to_end(place)
                return self._rows[place]
            vectors = torch_view(torch, owner.vectors(template)).to(device())
            size = vectors.element_size() * vectors.nelement()
            room = SHARE * torch.cuda.mem_get_info()[0] + self._bytes
            while self._rows and self._bytes + size > room:
                _, gone = self._rows.popitem(last=False)
                self._bytes -= gone.element_size() * gone.nelement()
            self._rows[place] = vectors
            self._bytes += size
            return vectors

    def forget(self, owner: int) -> None:
        """Lets go of what a shard has there."""
        with self._lock:
            for place in [place for place in self._rows if place[0] == owner]:
                gone = self._rows.pop(place)
                self._bytes -= gone.element_size() * gone.nelement()


_resident = _Resident()


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
    """Float32 rows [T, n, D], scored where `device` says."""

    def __init__(self, rows: FloatShard) -> None:
        super().__init__(rows._vectors, rows._owner)

    def __del__(self) -> None:
        _resident.forget(id(self))

    def scores(self, templates: slice, rows: slice, queries: Float32) -> Scores:
        if device().type == "cpu":
            return super().scores(templates, rows, queries)
        with torch.inference_mode(), _full_float32():
            found = []
            for template in range(templates.start, templates.stop):
                vectors = _resident.get(self, template)[rows]
                asked = torch_view(torch, queries).to(vectors.device)
                found.append(torch.mm(asked, vectors.T).cpu().numpy())
        return Scores.of_array(np.stack(found, axis=1), rounding_bound(queries.shape[1]))


class TorchType(FlatType):
    """Exact, float32, on a GPU where there is one."""

    name = "torch"

    def self_test(self) -> str:
        super().self_test()
        where = "GPU with PyTorch (speed not measured)"
        return f"searches on the {where if device().type == 'cuda' else 'CPU with PyTorch'}"

    def open_shard(self, path: Path, shape: tuple[int, int, int]) -> TorchShard:
        return TorchShard(super().open_shard(path, shape))
