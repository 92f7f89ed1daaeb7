"""Identifies files by their first bytes, not their names, and picks the reader."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import BinaryIO

from PIL import Image, features

from idia_index.errors import InputError, install_command

HEAD = 64  # bytes that identify a file
EXTRA = "photos"

# Only these of Pillow's readers are used, so that no other reader or external program opens an
# untrusted file.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "DIB", "GIF", "TIFF", "PPM") + (
    ("AVIF",) if features.check("avif") else ()
)

_REPLACE = "remove it or replace it with a readable image"
_CONVERT = "which is not supported; save it as JPEG or PNG"
_DEVELOP = "which is not supported; export it as JPEG"

_IMAGES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"\xff\x0a", "JXL"),
    (b"\0\0\0\x0cJXL \r\n\x87\n", "JXL"),
    *((b"P%d%c" % (kind, space), "PPM") for kind in range(1, 7) for space in b"\n \r\t"),
)  # fmt: skip
# Brands of the container that HEIC, AVIF and videos share, the major one first.
_BRANDS = {
    b"avif": "AVIF", b"avis": "AVIF",
    b"heic": "HEIF", b"heix": "HEIF", b"heim": "HEIF", b"heis": "HEIF", b"hevc": "HEIF",
    b"hevx": "HEIF", b"hevm": "HEIF", b"hevs": "HEIF", b"mif1": "HEIF", b"mif2": "HEIF",
    b"msf1": "HEIF", b"mif3": "HEIF",
}  # fmt: skip
_OTHERS = (
    (b"%PDF", f"a PDF document, {_CONVERT}"),
    (b"%!PS", f"a PostScript file, {_CONVERT}"),
    (b"\xc5\xd0\xd3\xc6", f"a PostScript file, {_CONVERT}"),
    (b"<svg", f"an SVG drawing, {_CONVERT}"),
    (
        b"<?xml",
        "an XML file: a server's answer instead of an image (download the image itself), or an "
        f"SVG drawing, {_CONVERT}",
    ),
    (b'{"', "JSON instead of an image, a server's answer; download the image itself"),
    (b"data:image", "an image written as text (base64); decode it first"),
    (b"\0\0\0\x0cjP", f"a JPEG 2000 image, {_CONVERT}"),
    (b"\xff\x4f\xff\x51", f"a JPEG 2000 image, {_CONVERT}"),
    (b"8BPS", f"a Photoshop file, {_CONVERT}"),
    (b"IIRO", f"a camera's raw file, {_DEVELOP}"),
    (b"IIRS", f"a camera's raw file, {_DEVELOP}"),
    (b"MMOR", f"a camera's raw file, {_DEVELOP}"),
    (b"IIU\0", f"a camera's raw file, {_DEVELOP}"),
    (b"FUJIFILMCCD-RAW", f"a camera's raw file, {_DEVELOP}"),
    (b"FOVb", f"a camera's raw file, {_DEVELOP}"),
    (b"<!doctype html", "a web page instead of an image; download the image itself"),
    (b"<html", "a web page instead of an image; download the image itself"),
    (b"version https://git-lfs", "a Git LFS pointer instead of an image; run git lfs pull"),
    (b"PK\x03\x04", f"a ZIP archive; unpack it, or {_REPLACE}"),
    (b"\x1f\x8b", f"a compressed file; unpack it, or {_REPLACE}"),
    (b"7z\xbc\xaf", f"a 7z archive; unpack it, or {_REPLACE}"),
    (b"Rar!", f"a RAR archive; unpack it, or {_REPLACE}"),
    (b"\0\5\x16\7", "a macOS metadata file, not the image; copy the image itself"),
)
RAW = f"a camera's raw file, {_DEVELOP}"
PREVIEW = "a TIFF that begins with a reduced preview; save the full picture as JPEG"

_PLUGINS = {"HEIF": ("pillow_heif", "HEIC"), "JXL": ("pillow_jxl", "JPEG XL")}


@dataclass(frozen=True)
class Kind:
    """The kind of a file.

    Attributes:
        format: Pillow's name of the image format, None if unsupported.
        told: the error for an unsupported file, with the fix.
    """

    format: str | None
    told: str = ""

    @property
    def is_film(self) -> bool:
        """Whether it is a video."""
        return self.told.startswith("a film")


def kind_of(head: bytes) -> Kind:
    """The kind of a file that begins with `head` (`HEAD` bytes, fewer if the file is short)."""
    if not head:
        return Kind(None, f"an empty file; {_REPLACE}")
    if head[4:8] == b"ftyp":
        return _container(head)
    if head[:4] == b"RIFF":
        webp = head[8:12] == b"WEBP"
        return Kind("WEBP") if webp else Kind(None, f"a film or sound, {_CONVERT}")
    if head[8:10] == b"CR" and head[:4] == b"II*\0":
        return Kind(None, RAW)
    for start, image in _IMAGES:
        if head.startswith(start):
            return Kind(image)
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    for start, told in _OTHERS:
        if head.startswith(start) or text.lower().startswith(start.lower()):
            return Kind(None, told)
    if head[4:8] in (b"moov", b"mdat", b"wide", b"free") or head[:4] == b"\x1aE\xdf\xa3":
        return Kind(None, f"a film, {_CONVERT}")
    return Kind(None, f"not an image in a known format; {_REPLACE}")


def _container(head: bytes) -> Kind:
    size = int.from_bytes(head[:4], "big")
    brands = [head[8:12], *(head[i : i + 4] for i in range(16, min(size, len(head)), 4))]
    if brands[0] == b"crx ":
        return Kind(None, RAW)
    # `mif1` alone describes the container, not the codec.
    if brands[0] in (b"mif1", b"msf1", b"mif2", b"mif3"):
        for brand in brands[1:]:
            if _BRANDS.get(brand) == "AVIF":
                return Kind("AVIF")
    found = _BRANDS.get(brands[0])
    return Kind(found) if found else Kind(None, f"a film, {_CONVERT}")


def check_reader(kind: Kind, name: str) -> None:
    """Raises InputError, with the fix, if the reader of a format is not installed."""
    if kind.format == "AVIF" and "AVIF" not in FORMATS:
        raise InputError(
            f"{name}: an AVIF image, which this Pillow cannot read: pip install -U 'pillow>=11.3'"
        )
    if kind.format in _PLUGINS:
        package, called = _PLUGINS[kind.format]
        if find_spec(package) is None:
            raise InputError(f"{name}: a {called} image; to read it: {install_command(EXTRA)}")


def open_plain(file: BinaryIO, kind: Kind) -> Image.Image:
    """The image of a file of a supported kind, not decoded yet.

    Except JPEG XL, whose reader decodes when opening: see `jxl_process`.
    """
    if kind.format == "HEIF":
        # Not registered with Pillow, so that the rest of the program is unaffected.
        plugin = import_module("pillow_heif.as_plugin")
        opened: Image.Image = plugin.HeifImageFile(file)
        return opened
    return Image.open(file, formats=FORMATS)
