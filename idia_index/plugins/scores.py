"""Approximate similarities as a product leaves them, and how far off they are.

A search needs of most of them only whether the largest is large enough. So they stay in the
numbers and the order that the product gave; what an image's mean adds, and what is not certain,
are kept beside them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idia_index.types import Float32, Int64

Float64 = NDArray[np.float64]

# Places of an image and a template among scores: two int64 [c].
Places = tuple[Int64, Int64]


def _array_best(product: Any) -> Float64:
    best: Float64 = product.max(axis=2).astype(np.float64)
    return best


def _array_rows(product: Any, places: Places) -> Float32:
    rows: Float32 = product[places].astype(np.float32, copy=False)
    return rows


@dataclass(frozen=True)
class Scores:
    """Scores of M images with n rows of each of t templates.

    An image's similarity to a row, summed without rounding, differs from its score, the product
    plus `base`, by at most `error` plus `relative` times the product.

    Attributes:
        product: [M, t, n] of any type, which `best_of` and `rows_of` read.
        error: float64 [M, t].
        base: float64 [M, t].
        relative: below 1.
        best_of: gives the largest of the n products, float64 [M, t].
        rows_of: gives the products of c places, float32 [c, n], a copy.
    """

    product: Any
    error: Float64
    base: Float64
    relative: float = 0.0
    best_of: Callable[[Any], Float64] = _array_best
    rows_of: Callable[[Any, Places], Float32] = _array_rows

    @classmethod
    def of_array(cls, product: Float32, error: float | Float64) -> Scores:
        """Scores [M, t, n] that are plain similarities, each off by at most `error`."""
        shape = product.shape[:2]
        return cls(product, np.broadcast_to(error, shape).astype(np.float64), np.zeros(shape))

    def best(self) -> Float64:
        """The largest product of each image and template, float64 [M, t]."""
        return self.best_of(self.product)

    def rows(self, places: Places) -> Float32:
        """The products of c places, float32 [c, n], which the caller may overwrite."""
        return self.rows_of(self.product, places)

    def highest(self, products: Float64, places: Places) -> Float64:
        """The most that the similarity of a product can be; one for each place."""
        widened = products + self.relative * np.abs(products)
        return widened + self.base[places] + self.error[places]

    def lowest(self, products: Float64, places: Places) -> Float64:
        """The least that the similarity of a product can be; one for each place."""
        widened = products - self.relative * np.abs(products)
        return widened + self.base[places] - self.error[places]

    def reaching(self, similarity: Float64, places: Places) -> Float64:
        """The least product whose similarity can be as high; one for each place."""
        wanted = similarity - self.base[places] - self.error[places]
        return wanted / np.where(wanted >= 0, 1 + self.relative, 1 - self.relative)
