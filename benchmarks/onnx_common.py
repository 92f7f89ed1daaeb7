"""What the ONNX benchmarks share: the machine's speed, models with random weights."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx

from idia_index.prompts.sampling import WeightedNames, load_pool, sample_names
from idia_index.support.offline import send_nothing

send_nothing()  # before ONNX Runtime is imported
import onnxruntime as ort  # noqa: E402


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


def cross_names(count: int) -> list[str]:
    """The 50 most common first names with as many of the most common last names as it takes.

    Such names share more tokens than drawn ones, and most are one token: a prompt costs fewer
    nodes.
    """
    pool = load_pool()
    firsts = [name for sex in "fm" for name in _most_common(pool.firsts[sex], 25)]
    lasts = _most_common(pool.lasts, -(-count // len(firsts)))
    return [f"{first} {last}" for first in firsts for last in lasts][:count]


def _most_common(pool: WeightedNames, count: int) -> list[str]:
    return [pool.names[i] for i in np.argsort(-pool.weights, kind="stable")[:count]]


def ort_gflops(rows: int, wide: int, deep: int, threads: int, repeats: int = 60) -> float:
    """float32 rate of ONNX Runtime's product [rows, deep] x [deep, wide], in GFLOP/s.

    As an export runs it: on every thread a product of its own, weights laid out beforehand; the
    output is reused and the first products are not counted.
    """
    random = np.random.default_rng(0)
    weights = random.standard_normal((deep, wide)).astype(np.float32)
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = ort.InferenceSession(_product(weights), options, providers=["CPUExecutionProvider"])

    def one_thread() -> float:
        binding = session.io_binding()
        binding.bind_cpu_input("x", random.standard_normal((rows, deep)).astype(np.float32))
        out = ort.OrtValue.ortvalue_from_shape_and_type([rows, wide], np.float32)
        binding.bind_ortvalue_output("y", out)
        for _ in range(5):
            session.run_with_iobinding(binding)
        return median_seconds(lambda: session.run_with_iobinding(binding), repeats)

    with ThreadPoolExecutor(threads) as executor:
        times = list(executor.map(lambda _: one_thread(), range(threads)))
    return sum(2 * rows * wide * deep / time / 1e9 for time in times)


def _product(weights: Any) -> bytes:
    """An ONNX file that multiplies x by a matrix: y."""
    float32 = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("MatMul", ["x", "w"], ["y"])],
        "product",
        [onnx.helper.make_tensor_value_info("x", float32, ["rows", weights.shape[0]])],
        [onnx.helper.make_tensor_value_info("y", float32, ["rows", weights.shape[1]])],
        [onnx.numpy_helper.from_array(weights, "w")],
    )
    opsets = [onnx.helper.make_opsetid("", 20)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10)
    content: bytes = model.SerializeToString()
    return content
