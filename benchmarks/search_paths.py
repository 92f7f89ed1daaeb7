"""The ways to compute a search's products here, and which one the index takes.

    python benchmarks/search_paths.py [--names 100000] [--dim 512] [--queries 1,30,300] [--rounds 7]

FAISS's flat search at its own threshold for the use of BLAS and at 20, NumPy's product, PyTorch's
BLAS, and oneDNN through PyTorch, each with the largest of its similarities, all on all processors,
interleaved. FAISS's setting is put back. Then runs of rows as long as those of an index go through
`products.product`, as searches do, and what that has chosen is printed.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import faiss
import numpy as np
import torch
from index_data import unit_rows

from idia_index.indexes import products
from idia_index.support.threads import workers
from idia_index.types import Float32

RUN = 1560  # names of a shard of 21 templates x 512 dimensions


@contextmanager
def blas_above(threshold: int) -> Iterator[None]:
    """FAISS uses BLAS above so many queries; the setting is put back."""
    before = faiss.cvar.distance_compute_blas_threshold
    faiss.cvar.distance_compute_blas_threshold = threshold
    try:
        yield
    finally:
        faiss.cvar.distance_compute_blas_threshold = before


def ways(queries: Float32, rows: Float32) -> dict[str, Callable[[], object]]:
    """Searches for the most similar row by name; each gives its similarity."""
    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(rows)
    asked, stored = torch.from_numpy(queries), torch.from_numpy(rows)

    def at_20() -> object:
        with blas_above(20):
            return index.search(queries, 1)

    found: dict[str, Callable[[], object]] = {
        f"FAISS at {faiss.cvar.distance_compute_blas_threshold}": lambda: index.search(queries, 1),
        "FAISS at 20": at_20,
        "NumPy": lambda: (queries @ rows.T).max(axis=1),
    }
    names = {"blas": "PyTorch", "onednn": "PyTorch's oneDNN"}
    for name, path in products.torch_product(torch)._paths.items():
        found[names[name]] = lambda path=path: path(asked, stored).amax(1)
    return found


def medians(found: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Seconds, of interleaved rounds after one that does not count."""
    times: dict[str, list[float]] = {name: [] for name in found}
    for number in range(rounds + 1):
        for name, run in found.items():
            began = time.perf_counter()
            with torch.inference_mode():
                run()
            if number:
                times[name].append(time.perf_counter() - began)
    return {name: statistics.median(some) for name, some in times.items()}


def chosen(queries: Float32, rows: Float32) -> Any:
    """What the index's own products choose for so many queries."""
    for start in range(0, len(rows) - RUN, RUN):
        products.product(queries, rows[start : start + RUN])
    fastest = products.torch_product(torch).chosen()
    return fastest[1 << len(queries).bit_length()]


def main() -> None:
    """Measures all ways for each number of queries."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--names", type=int, default=100_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--queries", default="1,30,300")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    rows = unit_rows(np.random.default_rng(0), options.names, options.dim)
    before = faiss.cvar.distance_compute_blas_threshold
    print(
        f"{options.names:,} x {options.dim}, {workers()} processors; FAISS {faiss.__version__} "
        f"(threshold {before}), numpy {np.__version__}, torch {torch.__version__}"
    )
    for count in map(int, options.queries.split(",")):
        queries = unit_rows(np.random.default_rng(count), count, options.dim)
        times = medians(ways(queries, rows), options.rounds)
        shown = "; ".join(f"{name} {1000 * seconds:.1f} ms" for name, seconds in times.items())
        print(f"{count} queries: {shown}; the index takes {chosen(queries, rows)}", flush=True)
    if faiss.cvar.distance_compute_blas_threshold != before:
        raise SystemExit("FAISS's setting was not put back")


if __name__ == "__main__":
    main()
