"""The one loader of images, for all backends."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias

from PIL import Image, ImageOps, UnidentifiedImageError

from idia_index.errors import InputError

ImageSource: TypeAlias = str | os.PathLike[str] | Image.Image

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".jfif"}
)
MAX_PIXELS = 100_000_000  # decoded at 4 bytes each, 400 MB: more is no portrait

_MEND = "remove it or replace it by a readable image"


def load_image(source: ImageSource) -> Image.Image:
    """Decodes an image and turns it upright by its EXIF orientation.

    The mode stays that of the file (L, P, RGBA, CMYK, ...): a backend converts to RGB where
    its model's own preprocessing does. Of an animation the first frame is taken.

    Raises:
        InputError: the file is missing, no image, cut short, or of more than `MAX_PIXELS`.
    """
    if isinstance(source, Image.Image):
        return _upright(source, "the given image")
    path = Path(source)
    try:
        with Image.open(path) as image:
            return _upright(_decoded(image, path), str(path))
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such image; check the path") from error
    except UnidentifiedImageError as error:
        raise InputError(f"{path}: not an image in a known format; {_MEND}") from error
    except Image.DecompressionBombError as error:
        raise InputError(_too_large(path)) from error
    except InputError:
        raise
    # Decoders raise whatever their format's parser ran into; each of it means the same here.
    except Exception as error:
        raise InputError(f"{path}: cannot be decoded ({error}); {_MEND}") from error


def _decoded(image: Image.Image, path: Path) -> Image.Image:
    if image.width * image.height > MAX_PIXELS:
        raise InputError(_too_large(path, f" ({image.width} x {image.height})"))
    image.load()
    return image


def _too_large(path: Path, size: str = "") -> str:
    return f"{path}: more than {MAX_PIXELS:,} pixels{size}; scale the image down"


def _upright(image: Image.Image, name: str) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    # A damaged EXIF block says nothing about the pixels, which are whole: take them as stored.
    except Exception:  # noqa: BLE001
        if not image.width or not image.height:
            raise InputError(f"{name}: an image without pixels; {_MEND}") from None
        return image.copy()
