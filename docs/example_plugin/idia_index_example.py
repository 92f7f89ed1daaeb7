"""A backend small enough to read at one go: words and colours as vectors, no model."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from PIL import Image

from idia_index.errors import InputError
from idia_index.plugins import BackendPlugin
from idia_index.types import Fingerprint, Float32

DIM = 48
MODELS = ("colours",)


class ExampleBackend(BackendPlugin):
    """Embeds a text by hashes of its words, and an image by how often each colour occurs."""

    name = "example"
    device = "cpu"

    def __init__(self, *, model: str, device: str | None = None, dtype: str = "float32") -> None:
        if model not in MODELS:
            raise InputError(f"model {model!r} is unknown; available: {', '.join(MODELS)}")
        if device not in (None, "cpu") or dtype != "float32":
            raise InputError(f"the example runs on cpu in float32, not {device} in {dtype}")
        self.model = model

    @property
    def fingerprint(self) -> Fingerprint:
        return Fingerprint(
            architecture="example",
            weights_sha256=hashlib.sha256(self.model.encode()).hexdigest(),
            tokenizer="split at white space",
            preprocessing="none",
            activation="none",
            dim=DIM,
            precision="float32",
        )

    def embed_texts(self, texts: Sequence[str]) -> Float32:
        out = np.zeros((len(texts), DIM), np.float32)
        for row, text in enumerate(texts):
            for word in text.lower().split():
                digest = hashlib.sha256(word.encode()).digest()
                out[row, digest[0] % DIM] += 1
        return out

    def embed_images(self, images: Sequence[Image.Image]) -> Float32:
        histograms = [image.convert("RGB").histogram() for image in images]
        # 256 counts of each of three channels, sixteen neighbours together.
        return np.array(histograms, np.float32).reshape(len(images), DIM, 16).sum(axis=2)
