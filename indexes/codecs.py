"""Rows in two bytes or one: how they are rounded, and scored with a bound.

A row is stored as its difference from the mean of its shard's rows of the template, which is
shorter than the row and so loses less. A score is the query times the mean plus the query times
the difference; each codec says how far off the second product can be.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
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
_SMALLEST = np.uint32(1 << 13).view(np.float32)  # the least float16 before it is multiplied


@dataclass(frozen=True)
class Coded:
    """A run of rows of each of t templates of a shard.

    Attributes:
        codes: [t, n, D], of the codec's dtype.
        scale: float32 [t, D], what a code of 1 means in each dimension.
        longest: float64 [t], the longest row of codes.
    """

    codes: Codes
    scale: Float32
    longest: Float64


class Codec(ABC):
    """A way to store differences [n, D]; `dtype` is that of the codes."""

    dtype: ClassVar[np.dtype[Any]]

    @abstractmethod
    def encode(self, differences: Float32) -> tuple[Codes, Float32]:
        """Codes [n, D] and scale float32 [D] of float32 [n, D]."""

    @abstractmethod
    def decode(self, codes: Codes) -> Float32:
        """float32 [n, D], still to be multiplied with the scale."""

    def scores(self, queries: Float32, coded: Coded, base: Float64) -> Scores:
        """Products with scaled codes, and how far off they are.

        Args:
            queries: float32 [M, D].
            coded: n rows of t templates.
            base: float64 [M, t], what is added to the products.
        """
        m, dim = queries.shape
        found = np.empty((m, *coded.codes.shape[:2]), np.float32)
        lengths = np.empty(base.shape)
        for t, codes in enumerate(coded.codes):
            asked = queries * coded.scale[t]
            found[:, t] = product(asked, self.decode(codes))
            lengths[:, t] = np.linalg.norm(asked, axis=1)
        error = lengths * coded.longest * (rounding_bound(dim) + 2.0**-22)
        return Scores(found, error, base, np.ones_like(base))


class Float16(Codec):
    """IEEE half precision, made float32 again a block at a time."""

    dtype = np.dtype(np.float16)

    def encode(self, differences: Float32) -> tuple[Codes, Float32]:
        return differences.astype(np.float16), np.ones(differences.shape[1], np.float32)

    def decode(self, codes: Codes) -> Float32:
        if _SMALLEST * _BIAS == 0:  # a library made this thread take subnormal numbers for zero
            return codes.astype(np.float32)
        # Bits are moved to their places, which takes a fifth of the time of NumPy's conversion.
        wide = codes.view(np.int16).astype(np.int32)
        wide <<= 13
        wide &= ~0x70000000  # copies of the sign
        floats = wide.view(np.float32)
        floats *= _BIAS
        return floats


class BFloat16(Codec):
    """bfloat16; the products are PyTorch's where it is installed, in float32 where not."""

    dtype = np.dtype(np.uint16)

    def encode(self, differences: Float32) -> tuple[Codes, Float32]:
        bits = np.ascontiguousarray(differences).view(np.uint32)
        # To the nearest, ties to even; differences are finite, so nothing carries into infinity.
        rounded = (bits + (0x7FFF + ((bits >> 16) & 1))) >> 16
        return rounded.astype(np.uint16), np.ones(differences.shape[1], np.float32)

    def decode(self, codes: Codes) -> Float32:
        return (codes.astype(np.uint32) << 16).view(np.float32)

    def __init__(self) -> None:
        self._halved: tuple[Float32, Any, Float64] | None = None

    def scores(self, queries: Float32, coded: Coded, base: Float64) -> Scores:
        torch = torch_if_installed()
        if torch is None:
            return super().scores(queries, coded, base)
        alone.begin(torch)
        t, n, dim = coded.codes.shape
        with torch.inference_mode():
            asked, missed = self._asked(torch, queries)
            rows = torch_view(torch, coded.codes.view(np.int16)).view(torch.bfloat16)
            if rows.is_contiguous():  # one product for all templates
                found = torch.mm(asked, rows.reshape(t * n, dim).T).view(-1, t, n)
            else:
                found = torch.stack([torch.mm(asked, part.T) for part in rows], dim=1)
        error = (missed + 2 * rounding_bound(dim))[:, None] * coded.longest
        # The product comes back in bfloat16, eight bits of it.
        return tensor_scores(found[: len(queries)], error, base, np.ones_like(base), 2.0**-7.97)

    def _asked(self, torch: Any, queries: Float32) -> tuple[Any, Float64]:
        """Queries in bfloat16, [M, D] or more of them, and what they miss, float64 [M]."""
        known = self._halved
        if known is not None and known[0] is queries:
            return known[1], known[2]
        exact = torch_view(torch, queries)
        asked = exact.bfloat16()
        missed: Float64 = (exact - asked.float()).norm(dim=1).double().numpy()
        # Products of a multiple of 32 queries are faster than those of fewer on some processors.
        asked = torch.nn.functional.pad(asked, (0, 0, 0, -len(asked) % 32))
        self._halved = (queries, asked, missed)
        return asked, missed


class Int8(Codec):
    """One byte, scaled dimension by dimension; products of whole numbers where PyTorch is."""

    dtype = np.dtype(np.int8)
    # Sums of products of longer rows could be more than float32 has bits for.
    longest_row: ClassVar[int] = 1040

    def encode(self, differences: Float32) -> tuple[Codes, Float32]:
        scale = np.abs(differences).max(axis=0) / np.float32(127)
        scale = np.where(scale > 0, scale, np.float32(1)).astype(np.float32)
        return np.clip(np.rint(differences / scale), -127, 127).astype(np.int8), scale

    def decode(self, codes: Codes) -> Float32:
        return codes.astype(np.float32)

    def scores(self, queries: Float32, coded: Coded, base: Float64) -> Scores:
        torch, (t, n, dim) = torch_if_installed(), coded.codes.shape
        if torch is None or not hasattr(torch, "_int_mm") or dim > self.longest_row:
            return super().scores(queries, coded, base)
        alone.begin(torch)
        with torch.inference_mode():
            # A query is a whole number a dimension; what that misses, the bound makes up for.
            wanted = torch_view(torch, queries)[:, None] * torch_view(torch, coded.scale)
            unit = wanted.abs().amax(dim=2, keepdim=True).clamp_(min=1e-30) / 127
            whole = (wanted / unit).round_()
            missed = (wanted - unit * whole).norm(dim=2) + wanted.norm(dim=2) * 2e-7
            asked, rows = whole.to(torch.int8), torch_view(torch, coded.codes)
            found = torch.empty((t, len(queries), n), dtype=torch.int32)
            for place in range(t):
                torch._int_mm(asked[:, place], rows[place].T, out=found[place])
            error = missed.double().numpy() * coded.longest
            units = unit[:, :, 0].double().numpy()
            return tensor_scores(found.transpose(0, 1), error, base, units, 0.0)
