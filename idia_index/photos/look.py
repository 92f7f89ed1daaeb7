"""Describes one photo: what the model sees of it, its faces, its sharpness, its year."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFilter

from idia_index.photos.faces import Box
from idia_index.types import Float32

Size = tuple[int, int]

# The share of a photo's gradients that survives another blur: little in a sharp photo, nearly all
# in a blurred one (measured in docs/photos.md).
BLURRED = 0.8
SMALL = 0.3  # a face is small below this share of the height that the model sees
_HASH_SIDE = 12
_CUT = 0.05  # share of a face's width or height that may be outside what the model sees


@dataclass(frozen=True)
class View:
    """How a model sees photos.

    Attributes:
        fit: returns what it sees of a photo: RGB, after its own resizing and cropping.
        seen: returns the part that `fit` shows of a photo of a width and height, as edges in
            pixels; None if the model does not state it.
    """

    fit: Callable[[Image.Image], Image.Image]
    seen: Callable[[int, int], tuple[float, float, float, float] | None]


@dataclass(frozen=True)
class FaceInView:
    """A face, in the pixels of what the model sees.

    Attributes:
        left, top, right, bottom: its edges, which may be outside.
        share: its height as a share of the height that the model sees.
        is_cut: whether part of it is outside.
    """

    left: float
    top: float
    right: float
    bottom: float
    share: float
    is_cut: bool


@dataclass(frozen=True)
class Look:
    """The description of one photo.

    Attributes:
        fitted: what the model sees of it.
        size: width and height of the photo, upright and cropped.
        upscaled: whether it has fewer pixels than the model's input.
        faces: the faces found, largest first; None without a detector, or if the model does not
            state which part of a photo it sees.
        blur: from 0 (sharp) to 1 (completely blurred).
        year: when it was taken, by its EXIF; None if not stated.
        hash: bool [288], similar for photos that look alike.
    """

    fitted: Image.Image
    size: Size
    upscaled: bool
    faces: tuple[FaceInView, ...] | None
    blur: float
    year: int | None
    hash: NDArray[np.bool_]


def look(image: Image.Image, view: View, found: Sequence[Box] | None) -> Look:
    """Describes an upright photo, cropped as for the model, with the faces found in it.

    Raises:
        InputError: it cannot be prepared for the model.
    """
    fitted = view.fit(image)
    seen = view.seen(*image.size)
    faces = None
    if found is not None and seen is not None:
        faces = tuple(_face(face, Box(*seen), fitted.size) for face in found)
    return Look(
        fitted=fitted,
        size=image.size,
        upscaled=seen is not None and Box(*seen).height < fitted.height - 0.5,
        faces=faces,
        blur=blur_of(fitted),
        year=year_of(image),
        hash=hash_of(image),
    )


def _face(face: Box, seen: Box, size: Size) -> FaceInView:
    across, down = size[0] / seen.width, size[1] / seen.height
    box = Box(
        (face.left - seen.left) * across, (face.top - seen.top) * down,
        (face.right - seen.left) * across, (face.bottom - seen.top) * down,
    )  # fmt: skip
    outside = (
        max(-box.left, box.right - size[0]) / box.width,
        max(-box.top, box.bottom - size[1]) / box.height,
    )
    return FaceInView(*box, share=box.height / size[1], is_cut=max(outside) > _CUT)


def blur_of(image: Image.Image) -> float:
    """The share of an image's gradients that survives another blur, 0 to 1."""
    grey = image.convert("L")
    before = _gradients(grey)
    again = _gradients(grey.filter(ImageFilter.BoxBlur(2)))
    return float(again.sum() / before.sum()) if before.any() else 1.0


def _gradients(grey: Image.Image) -> Float32:
    values = np.asarray(grey, np.float32)
    found: Float32 = np.abs(np.diff(values, axis=0))[:, 1:] + np.abs(np.diff(values, axis=1))[1:]
    return found


def hash_of(image: Image.Image) -> NDArray[np.bool_]:
    """Whether brightness increases from each of 12 x 12 cells to the next, across and down."""
    grey, n = image.convert("L"), _HASH_SIDE
    across = np.asarray(grey.resize((n + 1, n), Image.Resampling.BOX), np.int16)
    down = np.asarray(grey.resize((n, n + 1), Image.Resampling.BOX), np.int16)
    grows = np.diff(across, axis=1) > 0, np.diff(down, axis=0) > 0
    return np.concatenate([part.ravel() for part in grows])


def year_of(image: Image.Image) -> int | None:
    """The year in which a photo was taken, by its EXIF."""
    try:
        exif = image.getexif()
        details = exif.get_ifd(ExifTags.IFD.Exif)
        told = details.get(ExifTags.Base.DateTimeOriginal) or exif.get(ExifTags.Base.DateTime)
    # Ignores a damaged EXIF block.
    except Exception:  # noqa: BLE001
        return None
    found = re.match(r"(\d{4}):", str(told or ""))
    return int(found.group(1)) if found and found.group(1) != "0000" else None


# The share of brightness increases in which two copies of a shot may differ, and the cosines from
# which two photos count as one (measured in docs/photos.md).
MOST_DIFFERENT = 0.2
FEWEST_STEPS = 36  # of 288
LEAST_COSINE = 0.985


def scenes(looks: Sequence[Look], embeddings: Float32 | None = None) -> list[int]:
    """For each photo of a person, the first one of the same scene (itself if none).

    Args:
        looks: of each photo.
        embeddings: float32 [n, D], unit rows; None without a model.
    """
    if not looks:
        return []
    hashes = np.stack([each.hash for each in looks])
    differ = (hashes[:, None] ^ hashes[None]).sum(axis=2)
    # Relative to the increases in either, since a plain wall behind a face has none.
    either = (hashes[:, None] | hashes[None]).sum(axis=2)
    alike: NDArray[np.bool_] = differ <= MOST_DIFFERENT * either
    # A wall and a sky have no gradients that distinguish them.
    plain = hashes.sum(axis=1) <= FEWEST_STEPS
    alike &= ~(plain[:, None] & plain[None])
    if embeddings is not None:
        alike |= embeddings @ embeddings.T >= LEAST_COSINE
    first = list(range(len(looks)))
    for number in range(len(looks)):
        for other in np.flatnonzero(alike[number, :number]).tolist():
            old, new = sorted((first[number], first[other]), reverse=True)
            first = [new if each == old else each for each in first]
    return first
