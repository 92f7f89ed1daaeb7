"""A labeler for tests that records its questions."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image
from toy_backend import ToyBackend

from idia_index.encode.backend import Backend
from idia_index.errors import ServiceError
from idia_index.plugins.labeler import LabelerPlugin

TOY = Backend(ToyBackend(model="toy"))


class ToyLabeler(LabelerPlugin):
    """The toy backend, asked for labels."""

    name = "toy"
    model = "toy"
    device = "nowhere"
    identity = "toy"

    def __init__(self, most_labels: int | None = None, concurrency: int = 1) -> None:
        self.most_labels, self.concurrency = most_labels, concurrency
        self.asked: list[tuple[bytes, tuple[str, ...]]] = []
        self.stop_after = 1 << 30

    def choose(self, image: Image.Image, labels: Sequence[str]) -> int:
        if len(self.asked) >= self.stop_after:
            raise ServiceError("the service is away")
        self.asked.append((image.tobytes(), tuple(labels)))
        return int((TOY.encode_texts(list(labels)) @ TOY.encode_images([image])[0]).argmax())
