"""The reference labeler: a local model that reveals only the most similar label."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from PIL import Image

from idia_index.encode.embeddings import encode_texts, unit_rows
from idia_index.plugins import BackendPlugin
from idia_index.plugins.labeler import LabelerPlugin
from idia_index.plugins.specs import is_export
from idia_index.types import Float32


class ReferenceLabeler(LabelerPlugin):
    """Answers as a closed box around a local model would.

    Args:
        model: SPEC, as the command line takes it.
        most_labels: maximum labels of a question; None: unlimited.
    """

    name = "reference"

    def __init__(self, *, model: str, most_labels: int | None = None) -> None:
        self._backend, self.most_labels = _load(model), most_labels
        self.model, self.device = self._backend.model, self._backend.device
        self.notes = self._backend.notes
        self._texts = lru_cache(64)(self._embedded)
        self._image: tuple[int, Image.Image, Float32] | None = None

    @property
    def identity(self) -> str:
        """The SHA-256 of its weights."""
        return self._backend.fingerprint.weights_sha256

    def choose(self, image: Image.Image, labels: Sequence[str]) -> int:
        """The label with the most similar embedding; among equals, the first."""
        if self._image is None or self._image[1] is not image:
            row = unit_rows(self._backend.embed_images([image]), self._backend, "image")[0]
            self._image = (id(image), image, row)
        return int((self._texts(tuple(labels)) @ self._image[2]).argmax())

    def _embedded(self, labels: tuple[str, ...]) -> Float32:
        return encode_texts(self._backend, labels)


def _load(model: str) -> BackendPlugin:
    if is_export(model):
        from idia_index.backends.onnx import OnnxBackend

        return OnnxBackend(model=model)
    from idia_index.backends.open_clip import OpenClipBackend

    return OpenClipBackend(model=model)
