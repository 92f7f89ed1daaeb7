"""The one loader of images, for all backends: pixels upright and whole, or one line that says why.

Photos come from other people. What is no regular file is never waited for; only the raster
formats of `FORMATS` are tried, so that none of Pillow's other parsers, nor a program that it
calls, meets a stranger's file; and how much an image will take is known from its header before
any of it is decoded.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from idia_index.errors import InputError, RefusedError
from idia_index.support.files import open_regular, sha256_of
from idia_index.support.text import shown_path

ImageSource: TypeAlias = str | os.PathLike[str] | Image.Image

# What the suffix promises is not believed: a file is read as what its first bytes say.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "DIB", "GIF", "TIFF", "PPM")
IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm", ".jfif"}
)
MAX_PIXELS = 100_000_000  # decoded at 4 bytes each, 400 MB: more is no portrait
MAX_FILE_BYTES = 4 * MAX_PIXELS  # the largest of them without any compression
MAX_SCANS = 100  # a progressive JPEG has about ten; each one more is another pass over the pixels

_MEND = "remove it or replace it by a readable image"
_CONVERT = "which is not read; save it as JPEG or PNG"
_STARTS = {
    b"%PDF": "a PDF document",
    b"%!PS": "a PostScript file",
    b"\xc5\xd0\xd3\xc6": "a PostScript file",
    b"<svg": "an SVG drawing",
    b"<?xml": "an XML file, such as an SVG drawing,",
    b"\0\0\0\x0cjP": "a JPEG 2000 image",
    b"8BPS": "a Photoshop file",
}
_BRANDS = {b"avif": "an AVIF image", b"avis": "an AVIF image"}


def load_image(source: ImageSource) -> Image.Image:
    """Decodes an image and turns it upright by its EXIF orientation.

    The mode stays that of the file (L, P, RGBA, CMYK, ...): a backend converts to RGB where
    its model's own preprocessing does. Of an animation the first frame is taken. A file's
    values of 16 bits are brought to 0..255, because that conversion would make everything above
    it white; an image that is given decoded keeps its values.

    Raises:
        InputError: the file is missing, no image, cut short, or larger than is read.
    """
    if isinstance(source, Image.Image):
        return _upright(source, "the given image")
    with open_image(source) as file:
        return decode_image(file, source)


def open_image(path: str | os.PathLike[str]) -> BinaryIO:
    """Opens an image file for reading.

    Raises:
        InputError: it is missing, cannot be read, is no regular file, or is too large.
    """
    name = shown_path(path)
    try:
        file = open_regular(Path(path))
    except FileNotFoundError as error:
        raise InputError(f"{name}: no such image; check the path") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{name}: cannot be opened ({reason}); {_MEND}") from error
    if (size := os.fstat(file.fileno()).st_size) > MAX_FILE_BYTES:
        file.close()
        raise InputError(
            f"{name}: {size:,} bytes, images of up to {MAX_FILE_BYTES:,} are read; {_MEND}"
        )
    return file


def hash_image(file: BinaryIO, path: str | os.PathLike[str]) -> str:
    """SHA-256 of an open file, in hexadecimal; raises InputError if it cannot be read."""
    try:
        return sha256_of(file)
    except OSError as error:
        raise InputError(
            f"{shown_path(path)}: cannot be read ({error.strerror}); {_MEND}"
        ) from error


def decode_image(
    file: BinaryIO, path: str | os.PathLike[str], admit: Callable[[int], None] | None = None
) -> Image.Image:
    """The image of an open file, upright; result and errors as those of `load_image`.

    Args:
        file: what `open_image` gave.
        path: where it is, for the messages.
        admit: called before decoding with the most bytes that it takes, which is twice the
            pixels' where the image is turned.
    """
    name = shown_path(path)
    try:
        opened: Image.Image = Image.open(file, formats=FORMATS)
        _check_size(opened, name)
        if opened.format in ("JPEG", "MPO"):
            _check_scans(file, name)
        if admit is not None:
            admit(2 * size_of(opened))
        opened.load()
        # The readers of these keep more than the frame.
        image = opened.copy() if opened.format in ("GIF", "TIFF", "WEBP") else opened
        return _upright(_eight_bits(image, opened.format, name), name, in_place=True)
    except UnidentifiedImageError as error:
        raise InputError(f"{name}: {_what_it_is(file)}") from error
    except Image.DecompressionBombError as error:
        raise InputError(_too_large(name)) from error
    except InputError:
        raise
    # Decoders raise whatever their format's parser ran into; each of it means the same here.
    except Exception as error:
        raise InputError(f"{name}: cannot be decoded ({error}); {_MEND}") from error


def size_of(image: Image.Image) -> int:
    """The most bytes that an image's pixels take."""
    return 4 * image.width * image.height


def _check_size(image: Image.Image, name: str) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise InputError(_too_large(name, f" ({image.width} x {image.height})"))


def _too_large(name: str, size: str = "") -> str:
    return f"{name}: more than {MAX_PIXELS:,} pixels{size}; scale the image down"


def _check_scans(file: BinaryIO, name: str) -> None:
    """Refuses a JPEG whose many empty scans would keep the decoder busy for hours."""
    place = file.tell()
    file.seek(0)
    # Inside a scan 0xFF is always followed by something else, so these bytes start one.
    scans = sum(block.count(b"\xff\xda") for block in iter(lambda: file.read(1 << 20), b""))
    file.seek(place)
    if scans > MAX_SCANS:
        raise RefusedError(
            f"{name}: a JPEG of {scans:,} scans, made to keep a reader busy; {_MEND}"
        )


def _what_it_is(file: BinaryIO) -> str:
    """Says what a file that Pillow does not know seems to be."""
    file.seek(0)
    head = file.read(32).lstrip(b"\xef\xbb\xbf \t\r\n")
    if not head:
        return f"an empty file; {_MEND}"
    if head[4:8] == b"ftyp":
        return f"{_BRANDS.get(head[8:12], 'a HEIC image or a film')}, {_CONVERT}"
    for start, what in _STARTS.items():
        if head.startswith(start):
            return f"{what}, {_CONVERT}".replace(",,", ",")
    return f"not an image in a known format; {_MEND}"


def _eight_bits(image: Image.Image, known: str | None, name: str) -> Image.Image:
    """Values of 16 bits a pixel brought to 0..255, the mode left as it is.

    Raises:
        InputError: values of 32 bits, whose range no file states.
    """
    if image.mode.startswith("I;16"):
        return _scaled(image, np.uint16)
    if image.mode == "I" and known in ("PNG", "PPM"):
        return _scaled(image, np.int32)
    if image.mode in ("I", "F"):
        raise InputError(
            f"{name}: 32 bits a pixel in a range that the file does not state; save it with 8"
        )
    return image


def _scaled(image: Image.Image, dtype: type[np.uint16] | type[np.int32]) -> Image.Image:
    scaled = Image.fromarray((np.asarray(image) >> 8).astype(dtype))
    scaled.info = image.info
    return scaled


def _upright(image: Image.Image, name: str, *, in_place: bool = False) -> Image.Image:
    try:
        if in_place:  # spares a second copy of every photo
            ImageOps.exif_transpose(image, in_place=True)
            return image
        return ImageOps.exif_transpose(image)
    # A damaged EXIF block says nothing about the pixels, which are whole: take them as stored.
    except Exception:  # noqa: BLE001
        if not image.width or not image.height:
            raise InputError(f"{name}: an image without pixels; {_MEND}") from None
        return image if in_place else image.copy()
