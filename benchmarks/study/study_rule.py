"""The paper's rule once more, in plain NumPy, and exact intervals: nothing of the package is used.

Source of the rule: Hintersdorf et al., "Does CLIP Know My Face?", JAIR 80 (2024).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray


def predictions(texts: NDArray[np.float32], images: NDArray[np.float32]) -> NDArray[np.int64]:
    """The most similar name for each template and image.

    Args:
        texts: float32 `[T, N, D]`, unit rows. images: float32 `[M, D]`, unit rows.

    Returns:
        int64 `[T, M]`; of equal similarities the lowest name.
    """
    return np.stack([np.argmax(images @ names.T, axis=1) for names in texts])


def winners(predicted: NDArray[np.int64], names: int) -> NDArray[np.int64]:
    """The name that most images of a template predict: int64 `[T, M]` -> `[T]`, -1 for a tie."""
    found = np.full(len(predicted), -1, dtype=np.int64)
    for template, row in enumerate(predicted):
        counts = np.bincount(row, minlength=names)
        if (counts == counts.max()).sum() == 1:
            found[template] = counts.argmax()
    return found


def _tail(k: int, n: int, p: float) -> float:
    """P(X >= k) for X ~ Binomial(n, p)."""
    if p <= 0 or p >= 1 or k <= 0:
        return 1.0 if k <= 0 or p >= 1 else 0.0
    logs = [
        math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1)
        + i * math.log(p) + (n - i) * math.log1p(-p)
        for i in range(k, n + 1)
    ]  # fmt: skip
    return math.fsum(math.exp(x) for x in logs)


def _bisect(rises: Callable[[float], float], goal: float) -> float:
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rises(middle) < goal else (low, middle)
    return (low + high) / 2


def exact_interval(k: int, n: int) -> tuple[float, float]:
    """Clopper-Pearson's 95 % interval of k successes in n."""
    if n == 0:
        return (0.0, 1.0)
    low = 0.0 if k == 0 else _bisect(lambda p: _tail(k, n, p), 0.025)
    high = 1.0 if k == n else _bisect(lambda p: _tail(k + 1, n, p), 0.975)
    return (low, high)
