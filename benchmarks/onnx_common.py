"""What the ONNX benchmarks share: the machine's speed, models with random weights."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from idia_index.name_pool import sample_names


def gemm_gflops(size: int = 2048, repeats: int = 5) -> float:
    """float32 rate of numpy's matrix product, the best of some, in GFLOP/s."""
    a = np.random.default_rng(0).standard_normal((size, size)).astype(np.float32)
    best = min(seconds(lambda: a @ a) for _ in range(repeats))
    return 2 * size**3 / best / 1e9


def seconds(work: Callable[[], Any]) -> float:
    """Wall time of a call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def median_seconds(work: Callable[[], Any], repeats: int) -> float:
    """Median wall time of some calls."""
    return median(seconds(work) for _ in range(repeats))


@contextmanager
def random_checkpoint(architecture: str, seed: int = 0) -> Iterator[str]:
    """SPEC of a checkpoint with open_clip's random initial weights, on disk for the while."""
    import open_clip
    import torch

    torch.manual_seed(seed)
    model = open_clip.create_model(architecture)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "random.pt"
        torch.save(model.state_dict(), path)
        del model
        yield f"{architecture}/{path}"


def paper_names(count: int) -> list[str]:
    """Candidates as the paper draws them, the same each time."""
    return sample_names(count, 0, weighted=True).names()
