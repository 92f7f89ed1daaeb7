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

    def scores(self, queries: Float32, coded: Coded) -> tuple[Float32, Float64]:
        """Products float32 [M, n] with scaled codes, and how far each query's are off, [M]."""
        found = product(queries * coded.scale, self.decode(coded.codes))
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

    def scores(self, queries: Float32, coded: Coded) -> tuple[Float32, Float64]:
        torch = torch_if_installed()
        if torch is None:
            return super().scores(queries, coded)
        m = len(queries)
        with one_thread(torch), torch.inference_mode():
            exact = torch_view(torch, queries)
            parts = [exact.bfloat16()]
            left = exact - parts[0].float()
            if m <= FEW_QUERIES:
                parts.append(left.bfloat16())
                left -= parts[1].float()
            rows = torch_view(torch, coded.codes.view(np.int16)).view(torch.bfloat16)
            found = torch.mm(rows, torch.cat(parts).T).float()
            if len(parts) == 2:
                found = found[:, :m] + found[:, m:]
            scores: Float32 = found.T.numpy()
            missed = left.norm(dim=1).double().numpy()
        # The product comes back in bfloat16, eight bits of it.
        most = np.abs(scores).max(axis=1).astype(np.float64) if scores.size else np.zeros(m)
        bound = missed + 2 * rounding_bound(queries.shape[1])
        return scores, bound * coded.longest + most * 2.0**-7.97


class Int8(Codec):
    """One byte, scaled dimension by dimension; products of whole numbers where PyTorch is."""

    dtype = np.dtype(np.int8)

    def encode(self, differences: Float32) -> tuple[Codes, Float32]:
        scale = np.abs(differences).max(axis=0) / np.float32(127)
        scale = np.where(scale > 0, scale, np.float32(1)).astype(np.float32)
        return np.clip(np.rint(differences / scale), -127, 127).astype(np.int8), scale

    def decode(self, codes: Codes) -> Float32:
        return codes.astype(np.float32)

    def scores(self, queries: Float32, coded: Coded) -> tuple[Float32, Float64]:
        torch = torch_if_installed()
        if torch is None or not hasattr(torch, "_int_mm"):
            return super().scores(queries, coded)
        m = len(queries)
        with one_thread(torch), torch.inference_mode():
            # A query is two whole numbers a dimension, the second for what the first leaves.
            wanted = torch_view(torch, queries * coded.scale)
            unit = wanted.abs().amax(dim=1, keepdim=True).clamp_(min=1e-30) / 127
            exact = wanted / unit
            high = exact.round()
            low = ((exact - high) * 254).round_().clamp_(-127, 127)
            missed = (wanted - unit * (high + low / 254)).norm(dim=1) + wanted.norm(dim=1) * 2e-7
            both = torch.cat([high, low]).to(torch.int8)
            found = torch._int_mm(torch_view(torch, coded.codes), both.T)
            sums = found[:, :m].float().mul_(254).add_(found[:, m:])
            sums.mul_(unit[:, 0] / 254)
            scores: Float32 = sums.T.numpy()
            lengths: Float64 = missed.double().numpy()
        most = np.abs(scores).max(axis=1).astype(np.float64) if scores.size else np.zeros(m)
        return scores, lengths * coded.longest + most * 2.0**-20
