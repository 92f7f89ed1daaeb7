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
    one_thread,
    product,
    rounding_bound,
    torch_if_installed,
    torch_view,
)
from idia_index.records import Float32
from idia_index.search import Float64

Codes = NDArray[Any]

# Up to here a product waits for memory and not for arithmetic: a second one is nearly free.
FEW_QUERIES = 64


@dataclass(frozen=True)
class Coded:
    """The rows of one template of a shard.

    Attributes:
        codes: [n, D], of the codec's dtype.
        scale: float32 [D], what a code of 1 means in each dimension.
        longest: float64, the longest row of codes.
    """

    codes: Codes
    scale: Float32
    longest: float


class Codec(ABC):
    """A way to store differences [n, D]; `dtype` is that of the codes."""

    dtype: ClassVar[np.dtype[Any]]

    @abstractmethod
    def encode(self, differences: Float32) -> tuple[Codes, Float32]:
        """Codes [n, D] and scale float32 [D] of float32 [n, D]."""

    @abstractmethod
    def decode(self, codes: Codes) -> Float32:
        """float32 [n, D], still to be multiplied with the scale."""

    def scores(
        self, queries: Float32, coded: Coded, base: Float32, careful: bool
    ) -> tuple[Float32, Float64]:
        """Products with scaled codes, and how far off they are.

        Args:
            queries: float32 [M, D].
            coded: n rows.
            base: float32 [M], what is added to each query's products.
            careful: whether a small bound is worth some time.

        Returns:
            scores float32 [M, n], and for each query float64 [M] how far they are off, not
            counting what adding `base` rounds.
        """
        found = product(queries * coded.scale, self.decode(coded.codes))
        found += base[:, None]
        lengths = np.linalg.norm(queries * coded.scale, axis=1).astype(np.float64)
        return found, lengths * coded.longest * (rounding_bound(queries.shape[1]) + 2.0**-22)


class Float16(Codec):
    """IEEE half precision, made float32 again a block at a time."""

    dtype = np.dtype(np.float16)

    def encode(self, differences: Float32) -> tuple[Codes, Float32]:
        return differences.astype(np.float16), np.ones(differences.shape[1], np.float32)

    def decode(self, codes: Codes) -> Float32:
        return codes.astype(np.float32)


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
        self._halved: tuple[Float32, bool, Any, Float64] | None = None

    def scores(
        self, queries: Float32, coded: Coded, base: Float32, careful: bool
    ) -> tuple[Float32, Float64]:
        torch = torch_if_installed()
        if torch is None:
            return super().scores(queries, coded, base, careful)
        m = len(queries)
        with one_thread(torch), torch.inference_mode():
            asked, missed = self._asked(torch, queries, careful and m <= FEW_QUERIES)
            rows = torch_view(torch, coded.codes.view(np.int16)).view(torch.bfloat16)
            found = torch.mm(rows, asked)
            low, high = (part.float() for part in torch.aminmax(found, dim=0))
            scores = torch.add(found[:, :m], torch_view(torch, base))
            most = torch.maximum(-low, high)[:m]
            if careful and m <= FEW_QUERIES:
                scores.add_(found[:, m : 2 * m])
                most = most + torch.maximum(-low, high)[m : 2 * m]
            out: Float32 = scores.T.numpy()
            rounded = most.double().numpy()
        # The product comes back in bfloat16, eight bits of it.
        bound = missed + 2 * rounding_bound(queries.shape[1])
        return out, bound * coded.longest + rounded * 2.0**-7.97

    def _asked(self, torch: Any, queries: Float32, careful: bool) -> tuple[Any, Float64]:
        """Queries in bfloat16, [D, M] or more, and what they miss, float64 [M].

        If `careful`, what they miss follows as queries of its own, and little is missed.
        """
        known = self._halved
        if known is not None and known[0] is queries and known[1] == careful:
            return known[2], known[3]
        exact = torch_view(torch, queries)
        parts = [exact.bfloat16()]
        left = exact - parts[0].float()
        if careful:
            parts.append(left.bfloat16())
            left = left - parts[1].float()
        asked, missed = torch.cat(parts), left.norm(dim=1).double().numpy()
        # Products of a multiple of 32 queries are more than twice as fast as those of fewer.
        asked = torch.nn.functional.pad(asked, (0, 0, 0, -len(asked) % 32)).T
        self._halved = (queries, careful, asked, missed)
        return asked, missed


class Int8(Codec):
    """One byte, scaled dimension by dimension; products of whole numbers where PyTorch is."""

    dtype = np.dtype(np.int8)
    # Longer rows could make 255 times their product too large for 32 bits.
    two_up_to: ClassVar[int] = 520

    def encode(self, differences: Float32) -> tuple[Codes, Float32]:
        scale = np.abs(differences).max(axis=0) / np.float32(127)
        scale = np.where(scale > 0, scale, np.float32(1)).astype(np.float32)
        return np.clip(np.rint(differences / scale), -127, 127).astype(np.int8), scale

    def decode(self, codes: Codes) -> Float32:
        return codes.astype(np.float32)

    def scores(
        self, queries: Float32, coded: Coded, base: Float32, careful: bool
    ) -> tuple[Float32, Float64]:
        torch = torch_if_installed()
        if torch is None or not hasattr(torch, "_int_mm"):
            return super().scores(queries, coded, base, careful)
        m = len(queries)
        with one_thread(torch), torch.inference_mode():
            # A query is a whole number a dimension, and a second for what the first leaves.
            wanted = torch_view(torch, queries * coded.scale)
            unit = wanted.abs().amax(dim=1, keepdim=True).clamp_(min=1e-30) / 127
            exact = wanted / unit
            high = exact.round()
            parts, known = [high], high
            if two := m <= FEW_QUERIES and queries.shape[1] <= self.two_up_to:
                parts.append(((exact - high) * 254).round_().clamp_(-127, 127))
                known = high + parts[1] / 254
            missed = (wanted - unit * known).norm(dim=1) + wanted.norm(dim=1) * 2e-7
            rows = torch_view(torch, coded.codes)
            sums = torch._int_mm(rows, torch.cat(parts).to(torch.int8).T)
            if two:
                sums = torch.add(sums[:, m:], sums[:, :m], alpha=254)
            scores = torch.empty((m, len(rows)))
            torch.mul(sums.T, unit / (254 if two else 1), out=scores)
            low, top = torch.aminmax(scores, dim=1)
            scores.add_(torch_view(torch, base)[:, None])
            out: Float32 = scores.numpy()
            most = torch.maximum(-low, top).double().numpy()
            lengths: Float64 = missed.double().numpy()
        return out, lengths * coded.longest + most * 2.0**-20
