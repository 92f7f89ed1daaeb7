"""The study's training code, which is in the benchmarks folder."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks" / "study"))

from study_plan import Item, training_items
from study_population import (
    SHIPPED_SEED,
    TRAINING_COUNTS,
    build_population,
    name_pools,
)

__all__ = [
    "SHIPPED_SEED", "TRAINING_COUNTS", "Item", "build_population", "name_pools", "training_items",
]  # fmt: skip
