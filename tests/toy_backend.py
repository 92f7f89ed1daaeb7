"""A backend without a model: vectors made from hashes of words and from pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache

import numpy as np
from PIL import Image

from idia_index.errors import InputError
from idia_index.plugins import BACKEND_DTYPES, BackendPlugin
from idia_index.types import Fingerprint, Float32

DIM = 16


@cache
def word_vector(word: str) -> Float32:
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "little")
    return np.random.default_rng(seed).standard_normal(DIM).astype(np.float32)


class ToyBackend(BackendPlugin):
    """Embeds a text as the sum of its words' vectors, an image as its thumbnail."""

    name = "toy"
    device = "nowhere"
    logit_scale = 8.0  # suits similarities of 16 numbers

    def __init__(
        self, *, model: str, device: str | None = None, dtype: str = "float32", delay: float = 0.0
    ) -> None:
        if dtype not in BACKEND_DTYPES:
            raise InputError(f"dtype {dtype!r} is unknown; available: {', '.join(BACKEND_DTYPES)}")
        self.model = model
        self.delay = delay

    @property
    def fingerprint(self) -> Fingerprint:
        digest = hashlib.sha256(self.model.encode()).hexdigest()
        return Fingerprint("toy", digest, "words", "thumbnail", "none", DIM, "float32")

    def embed_texts(self, texts: Sequence[str]) -> Float32:
        return np.stack([np.sum([word_vector(w) for w in t.split()], axis=0) for t in texts])

    def embed_images(self, images: Sequence[Image.Image]) -> Float32:
        small = [image.convert("L").resize((4, 4)) for image in images]
        return np.stack([np.asarray(image, np.float32).ravel() - 127.3 for image in small])
