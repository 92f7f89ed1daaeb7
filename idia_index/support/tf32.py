"""float32 that is float32: a GPU's products without TF32, which keeps ten of its 23 bits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def without_tf32(torch: Any) -> Iterator[None]:
    """Products and convolutions of PyTorch in full float32; the settings are put back.

    PyTorch 2.9 has a setting by operator, and refuses to read the older one where a program has
    used the newer, so each version gets its own.
    """
    settings: list[tuple[Any, str, Any]] = []
    for module in (torch.backends.cuda.matmul, getattr(torch.backends.cudnn, "conv", None)):
        if module is not None and hasattr(module, "fp32_precision"):
            settings.append((module, "fp32_precision", "ieee"))
    if not settings:
        settings = [
            (torch.backends.cuda.matmul, "allow_tf32", False),
            (torch.backends.cudnn, "allow_tf32", False),
        ]
    before = [getattr(module, name) for module, name, _ in settings]
    try:
        for module, name, exact in settings:
            setattr(module, name, exact)
        yield
    finally:
        for (module, name, _), value in zip(settings, before, strict=True):
            setattr(module, name, value)
