"""Versions of what computes: an index keeps them, and workers must have the same."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = (
    "idia-index", "numpy", "pillow", "torch", "open_clip_torch", "onnxruntime",
    "faiss-cpu", "faiss-gpu", "faiss-gpu-cu12",
)  # fmt: skip


def installed_versions() -> dict[str, str]:
    """Of Python and of those packages that are installed."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
