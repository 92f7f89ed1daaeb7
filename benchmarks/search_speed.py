"""Searches of an index against plain matrix products on arrays in memory, in the same run.

    python benchmarks/search_speed.py FOLDER [--names 100000] [--templates 21] [--images 30,300]
        [--types flat,bfloat16-exact] [--rounds 5] [--processor-time]

Random unit rows; every round runs each contestant once, and ratios are taken within a round, so
that other programs on the machine weigh on all alike. The peers compute every similarity and take
the largest: `queries @ rows.T` and argmax in NumPy and PyTorch (float32), and PyTorch in bfloat16,
whose names are not the exact ones. An index gives the exact names, proved: types that do not keep
the float32 rows get those of contenders from a stand-in for the model, and the run says how many.
Where names are not those of the float64 product the run fails. With --processor-time seconds are
those of all processors together, for machines that others use (set OMP_WAIT_POLICY=passive then, or
waiting counts). FOLDER gets the index files and is cleaned.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from index_data import RowsInMemory, shards, unit_rows, write_index

from idia_index.pipelines.build import SHARD_BYTES
from idia_index.search.index import Index
from idia_index.support.threads import workers
from idia_index.types import Float32, Int64

SEED = 20260101
CHECKED = 300  # images whose names are compared with those of float64 products


def plain_numpy(rows: Float32, queries: Float32) -> Int64:
    """Name ids [T, M] of NumPy's product and argmax."""
    return np.stack([(queries @ vectors.T).argmax(axis=1) for vectors in rows])


def plain_torch(rows: torch.Tensor, queries: torch.Tensor) -> Int64:
    """Name ids [T, M] of PyTorch's product and argmax."""
    with torch.inference_mode():
        found: Int64 = torch.stack([(queries @ v.T).argmax(dim=1) for v in rows]).numpy()
    return found


def bandwidth(rows: Float32) -> float:
    """GB/s of all processors reading rows once (sums of integers, nothing written)."""
    words = rows.reshape(-1).view(np.int64)
    parts = np.array_split(words, workers())

    def once() -> float:
        began = time.perf_counter()
        with ThreadPoolExecutor(len(parts)) as pool:
            list(pool.map(np.max, parts))
        return words.nbytes / (time.perf_counter() - began) / 1e9

    return max(once() for _ in range(3))


def interleaved(
    contestants: dict[str, Callable[[], Int64]], rounds: int, clock: Callable[[], float]
) -> dict[str, list[float]]:
    """Seconds of each contestant in each round; one round before does not count."""
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(rounds + 1):
        for name, run in contestants.items():
            began = clock()
            run()
            if number:
                times[name].append(clock() - began)
    return times


def exact_names(rows: Float32, queries: Float32) -> Int64:
    """Name ids [T, M] by float64 products, rounded to float32, ties to the lowest id."""
    found = []
    for vectors in rows:
        best = np.full(len(queries), -np.inf, np.float32)
        ids = np.zeros(len(queries), np.int64)
        for start in range(0, len(vectors), 10000):
            scores = queries.astype(np.float64) @ vectors[start : start + 10000].T
            scores = scores.astype(np.float32)
            top = scores.argmax(axis=1)
            value = scores[np.arange(len(queries)), top]
            better = value > best
            best[better], ids[better] = value[better], top[better] + start
        found.append(ids)
    return np.stack(found)


def read_bytes(index: Index, share: float) -> float:
    """Bytes that one search reads through."""
    return share * sum(s.parts[0].file.bytes for s in index.manifest.shards)


def searcher(index: Index, rows: Float32) -> Callable[[Float32], Int64]:
    """A search for names [T, M]."""
    view = index
    if not index.manifest.plan.exact:
        view = index.deciding_with(RowsInMemory(rows, index.manifest.plan.fingerprint))
    return lambda queries: view.search(queries, 1)[1][:, :, 0]


def compare(
    indexes: dict[str, Index], rows: Float32, queries: Float32, half: torch.Tensor, options: Any
) -> dict[str, list[float]]:
    """Seconds of all indexes and peers, for one number of images; names are checked."""
    tensor, asked = torch.from_numpy(rows), torch.from_numpy(queries)
    contestants: dict[str, Callable[[], Int64]] = {
        "numpy float32": lambda: plain_numpy(rows, queries),
        "torch float32": lambda: plain_torch(tensor, asked),
    }
    if len(half):
        asked_half = asked.bfloat16()
        contestants["torch bfloat16"] = lambda: plain_torch(half, asked_half)
    known = exact_names(rows, queries[:CHECKED])
    for index_type, index in indexes.items():
        search = searcher(index, rows)
        if not (search(queries)[:, :CHECKED] == known).all():
            raise SystemExit(f"{index.path}: names differ from those of float64 products")
        contestants[index_type] = partial(search, queries)
    clock = time.process_time if options.processor_time else time.perf_counter
    return interleaved(contestants, options.rounds, clock)


def show(index_type: str, times: dict[str, list[float]], index: Index, speed: float) -> None:
    """Prints medians, ratios within rounds, and what was read."""
    mine = times[index_type]
    parts = [f"  {index_type}: {statistics.median(mine):.3f} s"]
    for peer in ("numpy float32", "torch float32", "torch bfloat16"):
        if peer in times:
            ratios = [b / a for a, b in zip(mine, times[peer], strict=True)]
            parts.append(
                f"{peer} {statistics.median(times[peer]):.3f} s = "
                f"{statistics.median(ratios):.2f} x ({min(ratios):.2f} to {max(ratios):.2f})"
            )
    gigabytes = read_bytes(index, index._index_type.read_share) / 1e9
    rate = gigabytes / statistics.median(mine)
    parts.append(f"{gigabytes:.2f} GB read, {rate:.1f} GB/s of {speed:.1f} GB/s measured")
    print("; ".join(parts), flush=True)


def main() -> None:
    """Runs all comparisons."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--names", type=int, default=100_000)
    parser.add_argument("--templates", type=int, default=21)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--images", default="30,300")
    parser.add_argument("--types", default="flat,bfloat16-exact")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--processor-time", action="store_true")
    options = parser.parse_args()
    shape = (options.templates, options.names, options.dim)
    size = max(1, SHARD_BYTES // (options.templates * options.dim * 4))
    rows = np.empty(shape, np.float32)
    for first, part in shards(SEED, shape, size):
        rows[:, first : first + part.shape[1]] = part
    indexes = {}
    for index_type in options.types.split(","):
        path = options.folder / f"{index_type}.idia"
        shutil.rmtree(path, ignore_errors=True)
        indexes[index_type] = write_index(path, index_type, SEED, shape)
    rounded = any(index_type.startswith("bfloat16") for index_type in indexes)
    half = torch.from_numpy(rows).bfloat16() if rounded else torch.empty(0)
    speed = bandwidth(rows)
    print(
        f"{shape[0]} x {shape[1]:,} x {shape[2]}, {workers()} processors, torch "
        f"{torch.__version__}, numpy {np.__version__}, medians of {options.rounds} rounds"
    )
    for count in map(int, options.images.split(",")):
        print(f"{count} images", flush=True)
        queries = unit_rows(np.random.default_rng(count), count, options.dim)
        times = compare(indexes, rows, queries, half, options)
        for index_type, index in indexes.items():
            show(index_type, times, index, speed)
    for index in indexes.values():
        index.close()
        shutil.rmtree(index.path)


if __name__ == "__main__":
    main()
