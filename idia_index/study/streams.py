"""Random streams: every person and every image has one of its own, and no two overlap.

Only `Generator.random` is used downstream: NumPy keeps the raw PCG64 stream stable from release
to release, but not the way it turns that stream into integers or normal deviates.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from idia_index.errors import InputError

# The first word of every seed sequence. Two streams with different words are independent.
STREAMS = {"traits": 11, "train": 23, "selection": 37, "report": 41, "population": 53, "plan": 67}
ATTACK_SETS = ("selection", "report")


def generator(stream: str, *words: int) -> np.random.Generator:
    """A PCG64 generator for one stream and the integers that name its member."""
    if stream not in STREAMS:
        raise InputError(f"no random stream '{stream}': use one of {', '.join(STREAMS)}")
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([STREAMS[stream], *words])))


def uniforms(stream: str, count: int, *words: int) -> NDArray[np.float64]:
    """The first `count` uniform deviates of a stream: float64 `[count]` in [0, 1)."""
    return generator(stream, *words).random(count)


def shuffled(rng: np.random.Generator, count: int) -> list[int]:
    """A permutation of `range(count)` that depends on the generator's uniform deviates only."""
    return [int(i) for i in np.argsort(rng.random(count), kind="stable")]
