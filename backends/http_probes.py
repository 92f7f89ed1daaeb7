"""Identifies a hosted model by its embeddings of fixed texts and drawn images.

A hosted model's weights cannot be hashed. Instead, 32 texts and 8 drawings (of nobody) are
embedded three times at the build, reordered and in halves, because batching changes an
embedding's last bits; the differences give the service's noise. Each embedding is reduced to 16
sums of its coordinates with fixed signs: enough to detect another model, small enough for a
manifest.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from idia_index.errors import ModelError
from idia_index.plugins import Float64
from idia_index.types import Float32

TEXTS = tuple(
    template.format(subject)
    for template in ("{}", "a photo of {}", "{} at a party", "an old drawing of {} in the rain")
    for subject in (
        "a red bicycle", "two cats", "a bridge at night", "a bowl of rice", "a sleeping child",
        "the number seven", "Mary Miller", "a green square",
    )
)  # fmt: skip
ROUNDS = 3
SUMS = 16
DECIMALS = 5
FLOOR = 2e-5  # the error of rounding the sums
SLACK = 10.0  # a service may differ from itself by this many times its noise on another day
_SIDE = 224
_WORDS = [
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "red",
    "green",
    "blue",
    "cat",
    "dog",
    "sun",
]
# Lengths in words at which a tail is tried; each word is one token in every tokenizer.
LENGTHS = (6, 8, 10, 12, 14, 16, 18, 20, 22, 25, 28, 30, 40, 50, 60, 62, 66, 70, 72, 74, 75, 76,
           100, 120, 126, 200, 246, 254, 400, 500, 510)  # fmt: skip
MOST_TRIALS = 5  # binary search over the lengths
TAIL = " zebra umbrella"

# Embeds texts or images that need nobody's consent: unit rows float32 [n, D].
EmbedTexts = Callable[[Sequence[str]], Float32]
EmbedImages = Callable[[Sequence[Image.Image]], Float32]


def drawings() -> list[Image.Image]:
    """Eight drawn images, by integer arithmetic, so that all machines draw the same."""
    y, x = np.mgrid[0:_SIDE, 0:_SIDE].astype(np.int64)
    circle = (x - 112) ** 2 + (y - 112) ** 2
    planes = (
        (x, y, 255 - x),
        (255 * (x // 28 % 2), 255 * (y // 28 % 2), 0 * x),
        (255 * (circle < 80**2), 40 + 0 * x, 90 + 0 * x),
        (circle // 100, circle // 200, 255 - circle // 150),
        ((x * y) // 200, (x + y) // 2, (3 * x) % 256),
        (255 * (x > y), 255 * (x + y > _SIDE), 128 + 0 * x),
        (200 + 0 * x, 30 * (x // 32), 30 * (y // 32)),
        ((7 * x + 13 * y) % 256, (x * x) // 200, (y * y) // 200),
    )
    return [
        Image.fromarray(np.clip(np.stack(rgb, axis=2), 0, 255).astype(np.uint8)) for rgb in planes
    ]


@dataclass(frozen=True)
class Behaviour:
    """A model's answers to the probes.

    Attributes:
        sums: float64 [40, 16], rounded; texts first.
        noise: the largest difference between unit rows of one probe.
        dim: length of an embedding.
    """

    sums: Float64
    noise: float
    dim: int

    @property
    def text(self) -> str:
        """The sums as a manifest stores them."""
        return base64.b64encode(self.sums.astype("<f4").tobytes()).decode("ascii")

    @classmethod
    def read(cls, text: str, noise: float, dim: int) -> Behaviour:
        """Parses what `text` returned; raises ValueError for anything else."""
        data = np.frombuffer(base64.b64decode(text, validate=True), "<f4").reshape(-1, SUMS)
        return cls(data.astype(np.float64), noise, dim)

    def apart(self, other: Behaviour) -> float:
        """The largest difference of a probe's sums; infinite if they cannot be compared."""
        if (self.dim, self.sums.shape) != (other.dim, other.sums.shape):
            return float("inf")
        return float(np.linalg.norm(self.sums - other.sums, axis=1).max())

    @property
    def allowed(self) -> float:
        """The largest difference at which it counts as the same model on another day."""
        return FLOOR + SLACK * self.noise


def observe(texts: EmbedTexts, images: EmbedImages, rounds: int = ROUNDS) -> Behaviour:
    """Embeds the probes several times, each time in other batches."""
    drawn = drawings()
    found = [_rows(texts, images, drawn, number) for number in range(rounds)]
    noise = max(
        (float(np.linalg.norm(a - b, axis=1).max()) for a in found for b in found if a is not b),
        default=0.0,
    )
    dim = found[0].shape[1]
    sums: Float64 = np.round(found[0].astype(np.float64) @ _signs(dim), DECIMALS)
    return Behaviour(sums, noise, dim)


def _rows(
    texts: EmbedTexts, images: EmbedImages, drawn: Sequence[Image.Image], number: int
) -> Float32:
    if number == 1:
        return np.concatenate([texts(TEXTS[::-1])[::-1], images(drawn[::-1])[::-1]])
    if number == 2:
        halves = [texts(TEXTS[:16]), texts(TEXTS[16:]), images(drawn[:4]), images(drawn[4:])]
        return np.concatenate(halves)
    return np.concatenate([texts(TEXTS), images(drawn)])


def _signs(dim: int) -> Float64:
    """Fixed signs, over the square root of the length; float64 [D, 16]."""
    bits = hashlib.shake_256(b"idia-index probes").digest(dim * SUMS // 8 + 1)
    ones = np.unpackbits(np.frombuffer(bits, np.uint8))[: dim * SUMS].reshape(dim, SUMS)
    signs: Float64 = (2.0 * ones - 1) / np.sqrt(dim)
    return signs


def words_read(texts: EmbedTexts, apart: float) -> int | None:
    """The maximum words of a text after which a tail still changes the embedding.

    None if even the longest text tried is read whole. Rows within `apart` count as the same.

    Raises:
        ModelError: not even the shortest text is read whole.
    """
    low, high = -1, len(LENGTHS)  # read whole, cut
    while high - low > 1:
        middle = (low + high) // 2
        if tail_counts(texts, [_long(LENGTHS[middle])], apart)[0]:
            low = middle
        else:
            high = middle
    if low < 0:
        raise ModelError(
            "the service reads fewer than 6 words of a text; use a service with a text model"
        )
    return None if high == len(LENGTHS) else LENGTHS[low]


def _long(words: int) -> str:
    return " ".join(_WORDS[number % len(_WORDS)] for number in range(words))


def tail_counts(texts: EmbedTexts, of: Sequence[str], apart: float) -> list[bool]:
    """Whether a tail changes each text's embedding, which shows that the text was read whole."""
    rows = texts([*of, *(text + TAIL for text in of)])
    difference = np.linalg.norm(rows[: len(of)] - rows[len(of) :], axis=1)
    return [bool(each) for each in difference > apart]


def size_in_words(text: str) -> int:
    """An upper bound of a text's length in one-token words, generous for names."""
    total = 0
    for word in text.split():
        letters = word.isascii() and word.isalpha()
        total += -(-len(word) // 3) if letters else len(word.encode("utf-8"))
    return total
