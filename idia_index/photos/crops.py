"""Crops photos to the part that a model is given: a face, the centre, or given boxes."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from idia_index.errors import InputError
from idia_index.photos.faces import Box, Detector, installed_detector, needed_detector
from idia_index.support.files import sha256_of
from idia_index.support.tables import read_table
from idia_index.support.text import counted, shown, shown_path

MARGIN = 0.4  # added on each side of a face, as a share of its longer side
_FACE = re.compile(r"face(?::(\d+(?:\.\d+)?))?")
_FACE_TEXT = re.compile(r"face, margin (\d+(?:\.\d+)?), ")
_COLUMNS: dict[str, Sequence[str]] = {
    "path": ("file", "image"), "left": ("x1",), "top": ("y1",), "right": ("x2",), "bottom": ("y2",),
}  # fmt: skip


@dataclass(frozen=True)
class Crop:
    """How every photo is cropped before the model's own resizing and cropping.

    Attributes:
        text: a description with detector and version or a file's checksum; "none" for no crop.
        detector: the face detector, None if none is installed.
        margin: margin of a crop to faces; None for other crops.
        boxes: boxes by file, of a crop from a table.
        centre: whether to crop to the central square.
    """

    text: str = "none"
    detector: Detector | None = field(default=None, compare=False, repr=False)
    margin: float | None = None
    boxes: Mapping[Path, Box] | None = None
    centre: bool = False

    def __reduce__(self) -> tuple[Any, ...]:
        """Other processes load the detector again."""
        return _elsewhere, (self.text, self.margin, self.boxes, self.centre)

    @property
    def key(self) -> str:
        """Distinguishes cached embeddings by crop; empty for none."""
        return "" if self.text == "none" else self.text

    def __call__(self, image: Image.Image, path: str | os.PathLike[str]) -> Image.Image:
        """The crop of an upright photo; the whole photo if there is no face or box."""
        return _cut(image, path, self.box(image, path))

    def with_faces(
        self, image: Image.Image, path: str | os.PathLike[str]
    ) -> tuple[Image.Image, list[Box] | None]:
        """The crop of an upright photo and the faces in it; None without a detector.

        For a crop to a face, these are the faces of the whole photo, including those outside the
        crop, which may show the wrong person.
        """
        if self.detector is None or self.margin is None:
            part = self(image, path)
            return part, None if self.detector is None else self.detector.faces(part)
        faces = self.detector.faces(image)
        if not faces:
            return image, []
        box = _around(faces[0], self.margin, image)
        return _cut(image, path, box), [face.moved(-box.left, -box.top) for face in faces]

    def box(self, image: Image.Image, path: str | os.PathLike[str]) -> Box | None:
        """The box of the crop, None for the whole photo; it may extend beyond the edges."""
        if self.centre:
            side = min(image.size)
            left, top = (image.width - side) // 2, (image.height - side) // 2
            return Box(left, top, left + side, top + side)
        if self.boxes is not None:
            return self.boxes.get(Path(os.path.realpath(path)))
        if self.margin is None or self.detector is None:
            return None
        faces = self.detector.faces(image)
        return _around(faces[0], self.margin, image) if faces else None


def _cut(image: Image.Image, path: str | os.PathLike[str], box: Box | None) -> Image.Image:
    if box is None:
        return image
    edges = (
        max(0, round(box.left)), max(0, round(box.top)),
        min(image.width, round(box.right)), min(image.height, round(box.bottom)),
    )  # fmt: skip
    if edges[0] >= edges[2] or edges[1] >= edges[3]:
        raise InputError(
            f"{shown_path(path)}: the crop box {edges} is outside the photo; correct the table"
        )
    return image.crop(edges)


def _elsewhere(
    text: str, margin: float | None, boxes: Mapping[Path, Box] | None, centre: bool
) -> Crop:
    detector = None if margin is None else needed_detector("--crop face")
    if margin is not None and _faces_text(margin, detector) != text:
        raise InputError(
            f"a worker finds faces with {detector}, but this command crops to {text}; install "
            "the same version on all machines"
        )
    return Crop(text, detector, margin, boxes, centre)


def _faces_text(margin: float, detector: Detector | None) -> str:
    return f"face, margin {margin:g}, {detector}"


def _around(face: Box, margin: float, image: Image.Image) -> Box:
    """A square around a face, moved and clipped to the photo."""
    side = min(max(face.width, face.height) * (1 + 2 * margin), *image.size)
    left = min(max(0, (face.left + face.right - side) / 2), image.width - side)
    top = min(max(0, (face.top + face.bottom - side) / 2), image.height - side)
    return Box(left, top, left + side, top + side)


def read_crop(text: str) -> Crop:
    """The crop of `--crop`: none, face, face:MARGIN, centre, or a table of boxes.

    Raises:
        InputError: none of these, a table that is not one, or no detector for faces.
    """
    if text == "none":
        return Crop(detector=installed_detector())
    if text in ("centre", "center"):
        return Crop("centre", installed_detector(), centre=True)
    if found := _FACE.fullmatch(text):
        detector = needed_detector("--crop face")
        margin = float(found.group(1) or MARGIN)
        return Crop(_faces_text(margin, detector), detector, margin=margin)
    path = Path(text)
    if not path.is_file():
        raise InputError(
            f"--crop {shown(text)}: pass none, face, face:MARGIN, centre, or a CSV that "
            f"is there, with columns {','.join(_COLUMNS)}"
        )
    with path.open("rb") as file:
        digest = sha256_of(file)
    boxes = _read_boxes(path)
    return Crop(f"boxes of {path.name}, SHA-256 {digest}", installed_detector(), boxes=boxes)


def crop_again(text: str) -> Crop:
    """The crop with the `text` stated in a report.

    Raises:
        InputError: it cannot be repeated here.
    """
    if text in ("none", "centre"):
        return read_crop(text)
    made = _FACE_TEXT.match(text)
    if made is None:
        raise InputError(
            f"the photos were cropped to {shown(text)}, which a report does not store, so the crop "
            "cannot be repeated; evaluate again with --crop"
        )
    crop = read_crop(f"face:{made.group(1)}")
    if crop.text != text:
        raise InputError(
            f"the photos were cropped by {shown(text)}, but here by {shown(crop.text)}; install "
            "that version"
        )
    return crop


def crop_by_hand(boxes: Mapping[str, Box]) -> Crop:
    """The crop to manually given boxes, by the photos' paths or names."""
    places = {Path(os.path.realpath(name)): box for name, box in boxes.items()}
    digest = hashlib.sha256(repr(sorted(boxes.items())).encode("utf-8")).hexdigest()
    told = f"boxes of {counted(len(boxes), 'photo')}, SHA-256 {digest}"
    return Crop(told, installed_detector(), boxes=places)


def _read_boxes(path: Path) -> dict[Path, Box]:
    table = read_table(path, _COLUMNS)
    missing = [name for name in _COLUMNS if name not in table.columns]
    if missing:
        raise InputError(
            f"{shown_path(path)}: has no column {missing[0]}; the first line names the columns: "
            f"{','.join(_COLUMNS)}"
        )
    boxes: dict[Path, Box] = {}
    for row in table.rows():
        numbers = [row.get(name) for name in _COLUMNS if name != "path"]
        try:
            box = Box(*map(float, numbers))
        except ValueError:
            box = Box(0, 0, 0, 0)
        if row.problem or not (box.width > 0 and box.height > 0):
            raise InputError(row.problem or (
                f"{row.place}: {shown(','.join(numbers))} is not a box; write left, top, right and "
                "bottom in pixels of the upright photo"
            ))  # fmt: skip
        boxes[Path(os.path.realpath(path.parent / row.get("path")))] = box
    return boxes
