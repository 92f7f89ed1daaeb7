"""Correctness of the index types torch and faiss-gpu: float64's names, whatever happens."""

from __future__ import annotations

import _thread
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from common import Row, Scale
from index_data import unit_rows

from idia_index.errors import IdiaIndexError
from idia_index.indexes.flat import FloatShard
from idia_index.search.rerank import search_shard
from idia_index.types import Float32, Int64

SEED = 20260101
CONTRACT = Path(__file__).parents[2] / "tests" / "indexes" / "test_index_types.py"


def duplicated(random: np.random.Generator, t: int, n: int, dim: int) -> Float32:
    """Unit rows [T, n, D], a tenth of which are there twice."""
    rows = unit_rows(random, t, n, dim)
    count = n // 10
    rows[:, random.permutation(n)[:count]] = rows[:, random.permutation(n)[:count]]
    return rows


def right(rows: Float32, queries: Float32, k: int) -> Int64:
    """Rows [T, M, k] by float64 products rounded to float32, ties to the lowest."""
    found = []
    for vectors in rows:
        scores = (queries.astype(np.float64) @ vectors.T.astype(np.float64)).astype(np.float32)
        found.append(np.argsort(-scores, axis=1, kind="stable")[:, :k])
    return np.stack(found)


def makers(device: str) -> dict[str, Callable[[FloatShard], Any] | str]:
    """Of each index type, how its shard is made of rows, or why it cannot be."""
    import torch

    from idia_index.indexes.torch_gpu import DeviceShard

    made: dict[str, Callable[[FloatShard], Any] | str]
    made = {"torch": lambda rows: DeviceShard(rows, torch.device(device))}
    try:
        from idia_index.indexes.faiss_gpu import FaissGpuShard, FaissGpuType

        FaissGpuType().self_test()
        made["faiss-gpu"] = FaissGpuShard
    except IdiaIndexError as error:
        made["faiss-gpu"] = str(error)
    return made


def indexes(scale: Scale) -> Iterator[Row]:
    """Ties, many images, many names asked for; rows that stay and that do not; no memory."""
    device = scale.device
    random = np.random.default_rng(SEED)
    rows = duplicated(random, 3, *scale.pick((3000, 32), (60_000, 512)))
    queries = unit_rows(random, scale.pick(5, 300), rows.shape[2])
    queries[0] = rows[0, 7]
    shard = FloatShard(rows, None)
    for name, make in makers(device).items():
        if isinstance(make, str):
            yield Row(name, f"skipped: {make}")
            continue
        for k in (1, 7, 2048):
            asked = queries[:20] if k > 7 else queries
            yield _same(f"{name}, k = {k}", make(shard), rows, asked, k)
        yield _interrupted(name, make(shard), rows, queries)
    yield from _without_room(device, shard, rows, queries)
    yield contract("torch and tie_of_many" if scale.small else "torch or faiss-gpu")


def contract(chosen: str) -> Row:
    """The tests that every index type passes, those of pytest's expression."""
    what = f"contract of index types: {chosen}"
    missing = [name for name in ("pytest", "hypothesis") if find_spec(name) is None]
    if missing or not CONTRACT.exists():
        return Row(what, f"skipped: needs {missing[0] if missing else CONTRACT.name}")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", chosen,
               str(CONTRACT), "--tb=line"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, cwd=CONTRACT.parents[2])
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    holds = done.returncode == 0
    return Row(what, "all pass" if holds else "; ".join(failed) or done.stdout[-200:], holds)


def _same(what: str, shard: Any, rows: Float32, queries: Float32, k: int) -> Row:
    differ = 0
    for _ in range(2):  # the second time, by what stayed on the device
        differ += int((search_shard(shard, queries, k)[1] != right(rows, queries, k)).sum())
    size = 2 * rows.shape[0] * len(queries) * k
    return Row(what, f"{differ} of {size:,} names differ", differ == 0, {"differ": differ})


def _interrupted(name: str, shard: Any, rows: Float32, queries: Float32) -> Row:
    """A search that is interrupted ends, and the next one is right."""
    timer = threading.Timer(0.01, _thread.interrupt_main)
    stopped = False
    try:
        timer.start()
        while timer.is_alive():
            search_shard(shard, queries, 1)
        timer.join()
    except KeyboardInterrupt:
        stopped = True
    row = _same(f"{name}, after an interrupt", shard, rows, queries, 1)
    return Row(row.what, row.value, bool(row.holds) and stopped, row.data)


def _without_room(device: str, shard: FloatShard, rows: Float32, queries: Float32) -> Iterator[Row]:
    """Rows that may not stay on the device, and a device that is full."""
    import torch

    from idia_index.indexes import torch_gpu

    where = torch.device(device)

    class Streamed(torch_gpu.DeviceShard):
        def _has_room(self) -> bool:
            return False

    yield _same("torch, rows that do not fit", Streamed(shard, where), rows, queries, 1)
    if device == "cpu":
        yield Row("torch, memory full", "skipped: needs a GPU, whose memory is filled up")
        return
    torch.cuda.empty_cache()
    ballast = []
    for size in (1 << 30, 1 << 25, 1 << 21):
        while torch.cuda.mem_get_info()[0] > 2 * size:
            ballast.append(torch.empty(size, dtype=torch.uint8, device=device))
    yield _same("torch, memory full", torch_gpu.DeviceShard(shard, where), rows, queries, 1)
    ballast.clear()
