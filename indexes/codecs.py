"""Quantizes rows to two bytes per number, and scores them with an error bound.

A row is stored as its difference from the mean of its shard's rows for the template, which is
shorter than the row and so loses less. A score is the query times the mean plus the query times
the difference; each codec bounds the error of the second product.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from idia_index.indexes.products import (
    alone,
    product,
    rounding_bound,
    tensor_scores,
    torch_if_installed,
    torch_view,
)
from idia_index.plugins import Float64, Scores
from idia_index.types import Float32

Codes = NDArray[Any]

_BIAS = np.float32(2.0**112)  # between the exponents of float16 and float32
_SMALLEST = np.uint32(1 << 13).view(np.float32)  # the smallest float16 before it is multiplied


class Codec(ABC):
    """A way to store differences [n, D]; `dtype` is that of the codes."""

    dtype: ClassVar[np.dtype[Any]]

    @abstractmethod
    def encode(self, differences: Float32) -> Codes:
        """Codes [n, D] of float32 [n, D]."""

    @abstractmethod
    def decode(self, codes: Codes) -> Float32:
        """float32 [n, D]."""

    def scores(self, queries: Float32, codes: Codes, longest: Float64, base: Float64) -> Scores:
        """Products with codes, and their error bound.

        Args:
            queries: float32 [M, D].
            codes: [t, n, D], n rows of t templates.
            longest: float64 [t], the length of each template's longest row of codes.
            base: float64 [M, t], added to the products.
        """
        found = np.stack([product(queries, self.decode(part)) for part in codes], axis=1)
        lengths = np.linalg.norm(queries, axis=1).astype(np.float64)[:, None]
        error = lengths * longest * (rounding_bound(queries.shape[1]) + 2.0**-22)
        return Scores(found, error, base)


class Float16(Codec):
    """IEEE half precision, converted back to float32 block by block."""

    dtype = np.dtype(np.float16)

    def encode(self, differences: Float32) -> Codes:
        return differences.astype(np.float16)

    def decode(self, codes: Codes) -> Float32:
        if _SMALLEST * _BIAS == 0:  # a library made this thread flush subnormal numbers to zero
            return codes.astype(np.float32)
        # Moves bits into place, in a fifth of the time of NumPy's conversion.
        wide = codes.view(np.int16).astype(np.int32)
        wide <<= 13
        wide &= ~0x70000000  # copies of the sign
        floats = wide.view(np.float32)
        floats *= _BIAS
        return floats


class BFloat16(Codec):
    """bfloat16; products by PyTorch if installed, else in float32."""

    dtype = np.dtype(np.uint16)

    def __init__(self) -> None:
        self._halved: tuple[Float32, Any, Float64] | None = None

    def encode(self, differences: Float32) -> Codes:
        bits = np.ascontiguousarray(differences).view(np.uint32)
        # Rounds to nearest, ties to even; differences are finite, so nothing becomes infinite.
        return ((bits + (0x7FFF + ((bits >> 16) & 1))) >> 16).astype(np.uint16)

    def decode(self, codes: Codes) -> Float32:
        return (codes.astype(np.uint32) << 16).view(np.float32)

    def scores(self, queries: Float32, codes: Codes, longest: Float64, base: Float64) -> Scores:
        torch = torch_if_installed()
        if torch is None:
            return super().scores(queries, codes, longest, base)
        alone.begin(torch)
        t, n, dim = codes.shape
        with torch.inference_mode():
            asked, missed = self._asked(torch, queries)
            rows = torch_view(torch, codes.view(np.int16)).view(torch.bfloat16)
            if rows.is_contiguous():  # one product for all templates
                found = torch.mm(asked, rows.reshape(t * n, dim).T).view(-1, t, n)
            else:
                found = torch.stack([torch.mm(asked, part.T) for part in rows], dim=1)
        error = (missed + 2 * rounding_bound(dim))[:, None] * longest
        # The product is returned in bfloat16, with eight bits of precision.
        return tensor_scores(found[: len(queries)], error, base, 2.0**-7.97)

    def _asked(self, torch: Any, queries: Float32) -> tuple[Any, Float64]:
        """Queries in bfloat16, [M, D] or padded, and their rounding errors, float64 [M]."""
        known = self._halved
        if known is not None and known[0] is queries:
            return known[1], known[2]
        exact = torch_view(torch, queries)
        asked = exact.bfloat16()
        missed: Float64 = (exact - asked.float()).norm(dim=1).double().numpy()
        # On some processors products of a multiple of 32 queries are faster.
        asked = torch.nn.functional.pad(asked, (0, 0, 0, -len(asked) % 32))
        self._halved = (queries, asked, missed)
        return asked, missed
