"""Loads images for all backends: upright and complete, or one line with the reason.

Photos are untrusted. Only regular files are opened; a file is read as the type that its first
bytes indicate, only by the readers in `formats`; and the memory that an image needs is known from
its header before it is decoded.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from idia_index.encode.containers import heif_pixels, jxl_header
from idia_index.encode.formats import HEAD, PREVIEW, RAW, check_reader, kind_of, open_plain
from idia_index.encode.image_bytes import ImageBytes
from idia_index.encode.jxl_process import decoded
from idia_index.encode.part_limits import check_parts, metered
from idia_index.errors import InputError
from idia_index.support.files import open_regular, sha256_of, to_read
from idia_index.support.remote import RemotePath, open_remote
from idia_index.support.text import printable, shown_path

ImageSource: TypeAlias = str | os.PathLike[str] | Image.Image

MAX_PIXELS = 100_000_000  # 400 MB at 4 bytes each; no portrait has more
MAX_FILE_BYTES = 4 * MAX_PIXELS  # the largest image without compression

_KEEPING = ("GIF", "TIFF", "WEBP", "HEIF", "AVIF", "JXL")
_REPLACE = "remove it or replace it with a readable image"
# TIFF tags: a reduced copy of another picture; tags found only in camera raw files.
_SUBFILE, _DNG, _PHOTOMETRIC, _RAW_PHOTOMETRIC = 254, 50706, 262, (32803, 34892)
_WHITE = (255, 255, 255)
_CLEAR = ("LA", "La", "PA", "RGBA", "RGBa")
_STRIP = 256  # rows


def load_image(source: ImageSource, admit: Callable[[int], None] | None = None) -> Image.Image:
    """Decodes an image and turns it upright by its EXIF orientation.

    The mode stays the file's (L, P, RGB, CMYK, ...): a backend converts to RGB where its model's
    own preprocessing does. Transparency is first blended on white, because that conversion would
    reveal the pixels below. Of an animation or a burst the first picture is used. 16-bit values
    of a file are scaled to 0..255, because the conversion would make everything above white; an
    image passed decoded keeps its values.

    Raises:
        InputError: the file is missing, not an image, truncated, or too large.
    """
    if isinstance(source, Image.Image):
        return _flattened(_upright(source, "the given image"))
    with open_image(source) as file:
        return decode_image(file, source, admit)


def open_image(path: str | os.PathLike[str]) -> BinaryIO:
    """Opens an image file for reading.

    Raises:
        InputError: it is missing, cannot be read, is not a regular file, or is too large.
    """
    name = shown_path(path)
    try:
        file = _opened_file(path)
    except FileNotFoundError as error:
        raise InputError(f"{name}: no such image; check the path") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"{name}: cannot be opened ({reason}); {to_read(error, _REPLACE)}"
        ) from error
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if size > MAX_FILE_BYTES:
        file.close()
        raise InputError(f"{name}: {size:,} bytes, at most {MAX_FILE_BYTES:,} are read; {_REPLACE}")
    return file


def _opened_file(path: str | os.PathLike[str]) -> BinaryIO:
    if isinstance(path, ImageBytes):
        return io.BytesIO(path.data)
    if isinstance(path, RemotePath):
        return open_remote(path, MAX_FILE_BYTES)
    return open_regular(Path(path))


def hash_image(file: BinaryIO, path: str | os.PathLike[str]) -> str:
    """SHA-256 of an open file, in hexadecimal; raises InputError if it cannot be read."""
    try:
        return sha256_of(file)
    except OSError as error:
        raise InputError(
            f"{shown_path(path)}: cannot be read ({error.strerror}); {to_read(error, _REPLACE)}"
        ) from error


def decode_image(
    file: BinaryIO, path: str | os.PathLike[str], admit: Callable[[int], None] | None = None
) -> Image.Image:
    """The image of an open file, upright; result and errors as in `load_image`.

    Args:
        file: the result of `open_image`.
        path: its path, for the messages.
        admit: called before decoding with the maximum bytes that it takes: twice the pixels' if
            the image is rotated.
    """
    name = shown_path(path)
    try:
        opened = _opened(file, name, admit)
        opened.load()
        # These readers hold more than one frame.
        image = opened.copy() if opened.format in _KEEPING else opened
        upright = _upright(_eight_bits(image, opened.format, name), name, in_place=True)
        return _flattened(upright)
    except UnidentifiedImageError as error:
        raise InputError(f"{name}: cannot be decoded (broken header); {_REPLACE}") from error
    except Image.DecompressionBombError as error:
        raise InputError(_too_large(name)) from error
    except InputError:
        raise
    # Decoders may raise anything; every error means the same here.
    except Exception as error:
        # Some decoders return paragraphs with content of the file.
        reason = printable(" ".join(str(error).split()))[:200]
        raise InputError(f"{name}: cannot be decoded ({reason}); {_REPLACE}") from error


def size_of(image: Image.Image) -> int:
    """The maximum bytes of an image's pixels."""
    return 4 * image.width * image.height


def head_of(file: BinaryIO) -> bytes:
    """The first bytes of an open file, which is then rewound."""
    file.seek(0)
    head = file.read(HEAD)
    file.seek(0)
    return head


def _opened(file: BinaryIO, name: str, admit: Callable[[int], None] | None) -> Image.Image:
    """An image of checked and admitted size; `load` decodes its pixels."""
    kind = kind_of(head_of(file))
    if kind.format is None:
        raise InputError(f"{name}: {kind.told}")
    check_reader(kind, name)
    check_parts(file, kind, name)
    file = metered(file, name)
    if kind.format == "JXL":  # decoded when opened
        return _opened_jxl(file, name, admit)
    if kind.format in ("HEIF", "AVIF"):
        _check_pixels(heif_pixels(file.read()), name)
        file.seek(0)
    opened = open_plain(file, kind)
    _check_pixels(opened.width * opened.height, name, f" ({opened.width} x {opened.height})")
    if opened.format == "TIFF":
        _check_picture(opened, name)
    if admit is not None:
        admit(2 * size_of(opened))
    return opened


def _opened_jxl(file: BinaryIO, name: str, admit: Callable[[int], None] | None) -> Image.Image:
    data = file.read()
    header = jxl_header(data)
    if header is None:
        raise InputError(f"{name}: cannot be decoded (a JPEG XL without a picture); {_REPLACE}")
    pixels = header.width * header.height
    _check_pixels(pixels, name, f" ({header.width} x {header.height})")
    if admit is not None:
        admit(8 * pixels)
    opened, is_jpeg = decoded(data, name)
    if opened.width * opened.height > pixels:
        raise InputError(f"{name}: cannot be decoded (its sizes contradict each other); {_REPLACE}")
    if header.orientation != 1 and not is_jpeg:
        opened.info.pop("exif", None)  # redundant: the reader has rotated the image
    return opened


def _check_picture(opened: Image.Image, name: str) -> None:
    """Raises InputError for a TIFF whose first picture is a preview, as in raw files."""
    tags = getattr(opened, "tag_v2", {})
    if _DNG in tags or tags.get(_PHOTOMETRIC) in _RAW_PHOTOMETRIC:
        raise InputError(f"{name}: {RAW}")
    if tags.get(_SUBFILE, 0) & 1:
        maker = ExifTags.Base.Make in tags
        raise InputError(f"{name}: {RAW if maker else PREVIEW}")


def _check_pixels(pixels: int, name: str, size: str = "") -> None:
    if pixels > MAX_PIXELS:
        raise InputError(_too_large(name, size))


def _too_large(name: str, size: str = "") -> str:
    return f"{name}: more than {MAX_PIXELS:,} pixels{size}; scale the image down"


def _eight_bits(image: Image.Image, known: str | None, name: str) -> Image.Image:
    """16-bit values scaled to 0..255, in the same mode.

    Raises:
        InputError: 32-bit values, whose range is not stated in the file.
    """
    if image.mode.startswith("I;16"):
        return _scaled(image, np.uint16)
    if image.mode == "I" and known in ("PNG", "PPM"):
        return _scaled(image, np.int32)
    if image.mode in ("I", "F"):
        raise InputError(f"{name}: 32 bits per pixel in an unknown range; save it with 8")
    return image


def _scaled(image: Image.Image, dtype: type[np.uint16] | type[np.int32]) -> Image.Image:
    values = np.asarray(image)
    clear = image.info.get("transparency")
    if isinstance(clear, int):  # the grey that means transparent
        values = np.where(values == clear, 65535, values)
    scaled = Image.fromarray((values >> 8).astype(dtype))
    scaled.info = {key: value for key, value in image.info.items() if key != "transparency"}
    return scaled


def _upright(image: Image.Image, name: str, *, in_place: bool = False) -> Image.Image:
    try:
        if in_place:  # avoids a second copy of every photo
            ImageOps.exif_transpose(image, in_place=True)
            return image
        return ImageOps.exif_transpose(image)
    # A damaged EXIF block does not affect the pixels: take them as stored.
    except Exception:  # noqa: BLE001
        if not image.width or not image.height:
            raise InputError(f"{name}: an image without pixels; {_REPLACE}") from None
        return image if in_place else image.copy()


def _flattened(image: Image.Image) -> Image.Image:
    """The image, blended on white if it is transparent."""
    if image.mode not in _CLEAR and "transparency" not in image.info:
        return image
    flat = Image.new("RGB", image.size, _WHITE)
    for top in range(0, image.height, _STRIP):  # in strips: all at once takes twice the memory
        box = (0, top, image.width, min(top + _STRIP, image.height))
        strip = image.crop(box).convert("RGBA")
        flat.paste(strip.convert("RGB"), box, strip.getchannel("A"))
    flat.info = {key: value for key, value in image.info.items() if key != "transparency"}
    return flat
