"""Searches for many names an image, as `demo`, `audit` and `evaluate` make them, in two ways.

    python benchmarks/search_deep.py [--images 2048] [--names 1000] [--dim 64] [--top 64]

All similarities of an image by one product in float64 (`idia_index.search.exhaustive`), and
contenders compared pair by pair, as where names are many; both in one run, in turn, with the same
bits. The peer is NumPy's float32 product and a stable sort. Medians of some rounds.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from index_data import shards, unit_rows, write_index

from idia_index.search import exhaustive
from idia_index.types import Float32, Int64

SEED = 20260103
TEMPLATES = 21


def main() -> None:
    """Measures both ways and the peer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=2048)
    parser.add_argument("--names", type=int, default=1000)
    parser.add_argument("--dim", type=int, default=64)
    parser.add_argument("--top", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    shape = (TEMPLATES, options.names, options.dim)
    queries = unit_rows(np.random.default_rng(1), options.images, options.dim)
    rows = next(shards(SEED, shape, options.names))[1]
    usual = exhaustive.PER_NAME
    with tempfile.TemporaryDirectory() as folder:
        index = write_index(Path(folder) / "i", "flat", SEED, shape)

        def searched(names: int) -> tuple[Float32, Int64]:
            exhaustive.PER_NAME = names
            return index.search(queries, options.top)

        def plain() -> list[Int64]:
            return [
                np.argsort(-(queries @ part.T), axis=1, kind="stable")[:, : options.top]
                for part in rows
            ]

        one, other = searched(usual), searched(0)
        if not ((one[0] == other[0]).all() and (one[1] == other[1]).all()):
            raise SystemExit("the two ways differ")
        ways: dict[str, Callable[[], object]] = {
            "one product": lambda: searched(usual),
            "pair by pair": lambda: searched(0),
            "NumPy's product and sort": plain,
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(options.rounds):
            for name, run in ways.items():
                began = time.perf_counter()
                run()
                times[name].append(time.perf_counter() - began)
    shown = "; ".join(f"{name} {statistics.median(some):.2f} s" for name, some in times.items())
    print(
        f"{options.images:,} images, {TEMPLATES} x {options.names:,} x {options.dim}, the best "
        f"{options.top}: {shown}"
    )


if __name__ == "__main__":
    main()
