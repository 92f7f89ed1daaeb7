"""An index far larger than memory: opened at once, searched exactly, in little memory.

    python benchmarks/index_size.py FOLDER [--names 1000000] [--templates 21] [--index float16]

Writes random unit rows (1,000,000 names x 21 templates x 512 in float16: 21.5 GB, removed in the
end), and works out the exact names of 30 images in float64 while it does. A process of its own then
opens the index, from a disk whose pages were let go of, and searches. Rows that the stored ones
leave in doubt come from a stand-in for the model, which makes them again from their seed; that
takes longer than a model would, and is shown apart.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from index_data import RowsAgain, unit_rows, write_index

from idia_index import open_index
from idia_index.types import Fingerprint, Float32, Int64

SEED = 20260102
IMAGES = 30


def images(dim: int) -> Float32:
    """The image embeddings that are searched."""
    return unit_rows(np.random.default_rng(SEED), IMAGES, dim)


class Best:
    """The exact names so far, by float64 products rounded to float32, ties to the lowest id."""

    def __init__(self, templates: int, queries: Float32) -> None:
        self._queries = queries.astype(np.float64)
        self._best = np.full((templates, len(queries)), -np.inf, np.float32)
        self.ids = np.zeros(self._best.shape, np.int64)

    def see(self, first: int, rows: Float32) -> None:
        """Looks at a shard, float32 [T, n, D]."""
        for t, vectors in enumerate(rows):
            scores = (self._queries @ vectors.T.astype(np.float64)).astype(np.float32)
            top = scores.argmax(axis=1)
            value = scores[np.arange(len(scores)), top]
            better = value > self._best[t]
            self._best[t, better], self.ids[t, better] = value[better], top[better] + first


class Seeded(RowsAgain):
    """Makes rows again from the seed of their shard."""

    def __init__(self, fingerprint: Fingerprint, shape: tuple[int, int, int], size: int) -> None:
        super().__init__(fingerprint)
        self._shape, self._size = shape, size
        self.seconds = 0.0

    def row(self, template: int, name: int) -> Float32:
        began = time.perf_counter()
        t, n, dim = self._shape
        first = name // self._size * self._size
        random = np.random.default_rng([SEED, first])
        rows = unit_rows(random, t, min(self._size, n - first), dim)
        found: Float32 = rows[template, name - first]
        self.seconds += time.perf_counter() - began
        return found


def let_go(folder: Path) -> None:
    """Lets the system forget the pages of an index's files."""
    os.sync()
    for file in folder.iterdir():
        handle = os.open(file, os.O_RDONLY)
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(handle)


def disk_rate(folder: Path, most: int) -> float:
    """GB/s of plain reads of the index's files from the disk."""
    let_go(folder)
    seen, began = 0, time.perf_counter()
    buffer = bytearray(8 << 20)
    for file in sorted(folder.glob("*.rows")) + sorted(folder.glob("*.faiss")):
        with file.open("rb", buffering=0) as stream:
            while count := stream.readinto(buffer):
                seen += count
        if seen > most:
            break
    return seen / (time.perf_counter() - began) / 1e9


def search(folder: Path) -> None:
    """What the process of its own does; prints JSON."""
    began = time.perf_counter()
    index = open_index(folder)
    opened = time.perf_counter() - began
    plan = index.manifest.plan
    queries = images(plan.fingerprint.dim)
    began = time.perf_counter()
    index.search(queries)
    searched = time.perf_counter() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    shape = (len(plan.templates), len(index), plan.fingerprint.dim)
    backend = Seeded(plan.fingerprint, shape, plan.shard_names)
    began = time.perf_counter()
    answer = index.certified_search(queries, backend=backend)
    certified = time.perf_counter() - began - backend.seconds
    assert answer.certified is not None
    print(
        json.dumps(
            {
                "names": answer.name_ids[:, :, 0].tolist(), "opened_s": opened,
                "searched_s": searched, "certified_s": certified,
                "resident_gb": memory / 1e6, "share": float(answer.certified.mean()),
                "encoded": answer.encoded,
                "bytes": sum(p.file.bytes for s in index.manifest.shards for p in s.parts),
            }
        )
    )  # fmt: skip


def main() -> None:
    """Writes, searches in another process, and removes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--names", type=int, default=1_000_000)
    parser.add_argument("--templates", type=int, default=21)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--index", default="float16")
    parser.add_argument("--search", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.search:
        search(options.folder)
        return
    shape = (options.templates, options.names, options.dim)
    need = 2.2 * options.names * options.templates * options.dim
    if shutil.disk_usage(options.folder.parent).free < need:
        raise SystemExit(f"{options.folder}: the disk is short of the {need / 1e9:.0f} GB needed")
    shutil.rmtree(options.folder, ignore_errors=True)
    best = Best(options.templates, images(options.dim))
    began = time.perf_counter()
    write_index(options.folder, options.index, SEED, shape, best.see).close()
    print(f"written in {time.perf_counter() - began:.0f} s", flush=True)
    rate = disk_rate(options.folder, 4 << 30)
    let_go(options.folder)
    command = [sys.executable, __file__, str(options.folder), "--search"]
    found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    show(found, best.ids, rate, shape)
    shutil.rmtree(options.folder)


def show(found: dict[str, object], ids: Int64, rate: float, shape: tuple[int, int, int]) -> None:
    """Prints what was found."""
    if found["names"] != ids.tolist():
        raise SystemExit("names differ from those of float64 products of the float32 rows")
    size, seconds = float(str(found["bytes"])) / 1e9, float(str(found["searched_s"]))
    print(
        f"{shape[0]} x {shape[1]:,} x {shape[2]}, {size:.1f} GB: opened in "
        f"{found['opened_s']:.2f} s; {IMAGES} images in {seconds:.1f} s from a cold disk, "
        f"{size / seconds:.2f} GB/s (plain reads {rate:.2f} GB/s), "
        f"{found['resident_gb']:.2f} GB resident at most; certified in "
        f"{found['certified_s']:.1f} s more, {found['share']:.1%} by stored rows, "
        f"{found['encoded']} prompts encoded again; all names those of float32"
    )


if __name__ == "__main__":
    main()
