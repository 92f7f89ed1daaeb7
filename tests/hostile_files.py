"""Malicious and malformed files."""

from __future__ import annotations

import io
import os
import socket
import struct
import zlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import PIL
from PIL import Image

NO_HEIF = find_spec("pillow_heif") is None


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *chunks: bytes) -> bytes:
    """A PNG that claims a size, whatever follows."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"".join([b"\x89PNG\r\n\x1a\n", header, *chunks, chunk(b"IEND", b"")])


def black_png(side: int) -> bytes:
    """A whole black PNG, of few bytes and many pixels."""
    packer = zlib.compressobj(9)
    rows = [packer.compress(bytes(side + 1)) for _ in range(side)]
    return png(side, side, chunk(b"IDAT", b"".join([*rows, packer.flush()])))


def with_chunk(whole: bytes, added: bytes) -> bytes:
    return whole[:33] + added + whole[33:]


def endless_jpeg(scans: int) -> bytes:
    """A progressive JPEG whose last scan, of a few bytes, comes again and again."""
    out = io.BytesIO()
    Image.new("L", (64, 64), 128).save(out, "JPEG", progressive=True)
    whole = out.getvalue()
    scan = whole[whole.rfind(b"\xff\xda") : -2]
    return whole[:-2] + scan * scans + whole[-2:]


def photo(seed: int = 0, mode: str = "RGB") -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (24, 20, 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def _decoded() -> dict[bytes, bytes]:
    """Files that are images, whatever else they are."""
    plain, turned = photo(), photo(1)
    several = {"save_all": True, "append_images": [turned, turned]}
    bad_exif = b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\xff" * 40
    wide = Image.fromarray(np.arange(480, dtype=np.uint16).reshape(24, 20) * 130)
    found = {
        b"good.png": encoded(plain, "PNG"),
        b"good.jpg": encoded(plain, "JPEG"),
        b"a jpeg by another name.png": encoded(photo(2), "JPEG"),
        b"animated.gif": encoded(plain, "GIF", **several),
        b"animated.webp": encoded(plain, "WEBP", **several),
        b"pages.tif": encoded(plain, "TIFF", **several),
        b"two pictures.jpg": encoded(plain, "MPO", **several),
        b"wide.png": encoded(wide, "PNG"),
        b"cmyk.jpg": encoded(photo(0, "CMYK"), "JPEG"),
        b"bad exif.jpg": encoded(plain, "JPEG", exif=bad_exif),
        b"one.png": encoded(Image.new("L", (1, 1), 9), "PNG"),
        b"line\nend.png": encoded(photo(3), "PNG"),
        b"no \xff\xfe utf-8.png": encoded(photo(4), "PNG"),
        b"x" * 250 + b".png": encoded(photo(5), "PNG"),
    }
    if int(PIL.__version__.split(".")[0]) < 12:  # which cannot read its own
        found.pop(b"two pictures.jpg")
    return found


def _refused() -> dict[bytes, tuple[bytes, str]]:
    """Files that are no images, with a part of what must be said of each."""
    whole, jpeg = encoded(photo(), "PNG"), encoded(photo(), "JPEG")
    zeros = zlib.compress(bytes(80_000_000), 9)
    real = Image.fromarray(np.zeros((4, 4), np.float32))
    heic = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
    return {
        b"empty.png": (b"", "an empty file"),
        b"cut.png": (whole[:-60], "cannot be decoded"),
        b"cut.jpg": (jpeg[: len(jpeg) // 2], "cannot be decoded"),
        b"text.jpg": (b"not an image", "not an image"),
        b"claims.png": (png(30_000, 30_000), "more than 100,000,000 pixels"),
        b"empty claim.png": (png(9_000, 9_000), "cannot be decoded"),
        b"bomb.png": (black_png(30_000), "more than 100,000,000 pixels"),
        b"text bomb.png": (with_chunk(whole, chunk(b"zTXt", b"k\0\0" + zeros)), "too large"),
        b"profile bomb.png": (with_chunk(whole, chunk(b"iCCP", b"k\0\0" + zeros)), "too large"),
        b"endless.jpg": (endless_jpeg(1_000), "more than 100 scans"),
        b"float.tif": (encoded(real, "TIFF"), "32 bits per pixel"),
        b"drawing.png": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "an SVG drawing"),
        b"document.jpg": (b"%PDF-1.4\n%EOF", "a PDF document"),
        b"program.jpg": (b"%!PS-Adobe-3.0 EPSF-3.0\n(x) run\n%%EOF", "a PostScript file"),
        b"phone.jpg": (heic, "HEIC" if NO_HEIF else "cannot be decoded"),
        b"film.jpg": (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "a film"),
        b"notes.txt": (b"mine", "not an image"),
        b"bell \x07 \x1b[31m red.png": (b"", "an empty file"),
    }


def hostile_photos(folder: Path) -> tuple[list[Path], dict[Path, str]]:
    """Writes a folder of one subject's photos.

    Returns:
        the files that are images, and of each other thing what must be said of it.
    """
    folder.mkdir(parents=True)
    good, bad = [], {}
    for name, data in _decoded().items():
        good.append(folder / os.fsdecode(name))
        good[-1].write_bytes(data)
    for name, (data, told) in _refused().items():
        bad[folder / os.fsdecode(name)] = told
        (folder / os.fsdecode(name)).write_bytes(data)
    return good, bad | _irregular(folder)


def _irregular(folder: Path) -> dict[Path, str]:
    """Things in a folder that are no files."""
    links = {
        "circle": ".",
        "there.png": "back.png",
        "back.png": "there.png",
        "gone.png": "nowhere.png",
        "zero.png": "/dev/zero",
        "terminal.png": "/dev/tty",
    }
    for name, target in links.items():
        (folder / name).symlink_to(target)
    os.mkfifo(folder / "pipe.png")
    with socket.socket(socket.AF_UNIX) as plug:
        here = Path.cwd()
        os.chdir(folder)  # the address of a socket is short
        plug.bind("socket.png")
        os.chdir(here)
    device = "it is a pipe, socket or device"
    told = {
        "circle": "a link to a folder, which is not followed",
        "there.png": "symbolic links",
        "back.png": "symbolic links",
        "gone.png": "no such image",
        "zero.png": device,
        "terminal.png": device,
        "pipe.png": device,
        "socket.png": device,
    }
    return {folder / name: words for name, words in told.items()}
