"""What is here: driver, card, libraries, and what CUDA each of them finds."""

from __future__ import annotations

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version

from common import Row, Scale

PACKAGES = (
    "idia-index", "torch", "open_clip_torch", "numpy", "faiss-gpu", "faiss-gpu-cu12",
    "faiss-gpu-cuvs", "faiss-cpu", "onnxruntime-gpu", "onnxruntime", "triton",
)  # fmt: skip


def found(scale: Scale) -> list[Row]:
    """One row each; nothing here fails."""
    rows = [Row("Python", platform.python_version()), Row("driver", _driver())]
    for package in PACKAGES:
        try:
            rows.append(Row(package, version(package)))
        except PackageNotFoundError:
            rows.append(Row(package, "not installed"))
    return [*rows, Row("card", _card()), Row("faiss", _faiss()), Row("ONNX Runtime", _onnx())]


def _driver() -> str:
    asked = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
    try:
        return subprocess.run(asked, capture_output=True, text=True, timeout=20).stdout.strip()
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"nvidia-smi does not answer ({error})"


def _card() -> str:
    try:
        import torch
    except ImportError as error:
        return f"no PyTorch ({error})"
    if not torch.cuda.is_available():
        return f"none by PyTorch {torch.__version__} (built for CUDA {torch.version.cuda})"
    card = torch.cuda.get_device_properties(0)
    return f"{card.name}, {card.total_memory >> 20:,} MiB, CUDA {torch.version.cuda}"


def _faiss() -> str:
    try:
        import faiss
    except ImportError as error:
        return f"not importable ({error})"
    if not hasattr(faiss, "StandardGpuResources"):
        return "without its GPU part"
    return f"{faiss.get_num_gpus()} GPUs"


def _onnx() -> str:
    try:
        import onnxruntime
    except ImportError as error:
        return f"not importable ({error})"
    return ", ".join(onnxruntime.get_available_providers())
