"""float32 that is float32: a GPU's products without TF32, which keeps ten of its 23 bits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

# The settings are the process's, and threads encode side by side: the first in writes them, the
# last out puts them back. One that took the other's "ieee" for the program's own would leave it.
_LOCK = Lock()
_within = 0
_before: list[tuple[Any, str, Any]] = []


@contextmanager
def without_tf32(torch: Any) -> Iterator[None]:
    """Products and convolutions of PyTorch in full float32; the settings are put back.

    Threads may be within at the same time; the last one out puts the settings back.
    """
    global _within
    with _LOCK:
        if not _within:
            exact = _exact(torch)
            _before[:] = [(module, name, getattr(module, name)) for module, name, _ in exact]
            for module, name, value in exact:
                setattr(module, name, value)
        _within += 1
    try:
        yield
    finally:
        with _LOCK:
            _within -= 1
            if not _within:
                for module, name, value in _before:
                    setattr(module, name, value)


def _exact(torch: Any) -> list[tuple[Any, str, Any]]:
    """The settings of this PyTorch that leave float32 whole.

    PyTorch 2.9 has a setting by operator, and refuses to read the older one where a program has
    used the newer, so each version gets its own.
    """
    settings: list[tuple[Any, str, Any]] = []
    for module in (torch.backends.cuda.matmul, getattr(torch.backends.cudnn, "conv", None)):
        if module is not None and hasattr(module, "fp32_precision"):
            settings.append((module, "fp32_precision", "ieee"))
    return settings or [
        (torch.backends.cuda.matmul, "allow_tf32", False),
        (torch.backends.cudnn, "allow_tf32", False),
    ]
