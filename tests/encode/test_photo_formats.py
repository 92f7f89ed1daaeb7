"""HEIC, AVIF and JPEG XL: the pixels of a PNG, rotated once, within the limits of every image."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps, features
from toy_backend import ToyBackend

import idia_index.encode.images
from idia_index.encode.backend import Backend
from idia_index.encode.containers import heif_pixels, jxl_header
from idia_index.encode.images import load_image
from idia_index.errors import InputError

FORMATS: dict[str, dict[str, Any]] = {
    "HEIF": {"quality": -1, "chroma": 444, "matrix_coefficients": 0},
    "AVIF": {"quality": 100, "subsampling": "4:4:4"},
    "JXL": {"lossless": True},
}
# JPEG XL is decoded in a process.
KINDS = [pytest.param(kind, marks=[pytest.mark.process] * (kind == "JXL")) for kind in FORMATS]
NEEDED = {"HEIF": "pillow_heif", "JXL": "pillow_jxl", "AVIF": None}
LOSSLESS = {"HEIF": 0, "JXL": 0, "AVIF": 4}  # levels that a decoder may differ by


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    """An image encoded as exactly as its format can."""
    package = NEEDED.get(kind)
    if package is not None:
        module = pytest.importorskip(package)
        if kind == "HEIF":
            module.register_heif_opener()
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    out = io.BytesIO()
    image.save(out, kind, **{**FORMATS.get(kind, {}), **options})
    return out.getvalue()


def picture(width: int = 64, height: int = 48) -> Image.Image:
    """Quarters of different colours, with a gradient, so that every turn looks different."""
    y, x = np.mgrid[:height, :width]
    pixels = np.stack([255 * x // width, 255 * y // height, np.full_like(x, 60)], axis=2)
    pixels[: height // 2, : width // 2, 2] = 240
    return Image.fromarray(pixels.astype(np.uint8))


@pytest.mark.parametrize("kind", KINDS)
def test_known_pixels_give_the_embedding_of_the_png(tmp_path: Path, kind: str) -> None:
    image = picture()
    image.save(tmp_path / "a.png")
    (tmp_path / "a.jpg").write_bytes(saved(image, kind))  # whatever the name says
    pixels = np.asarray(load_image(tmp_path / "a.jpg").convert("RGB")).astype(int)
    assert np.abs(pixels - np.asarray(image)).max() <= LOSSLESS[kind]
    with Image.open(tmp_path / "a.jpg") as decoded:  # by Pillow's own way
        decoded.convert("RGB").save(tmp_path / "b.png")
    ours, same, png = Backend(ToyBackend(model="toy")).encode_images(
        [tmp_path / "a.jpg", tmp_path / "b.png", tmp_path / "a.png"]
    )
    assert ours @ same > 1 - 1e-6
    assert ours @ png > (0.9999 if LOSSLESS[kind] else 1 - 1e-6)


@pytest.mark.parametrize("kind", [*KINDS, "JPEG", "PNG", "WEBP", "TIFF", "MPO"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_format_is_turned_upright_once(tmp_path: Path, kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = picture()
    options = {"save_all": True, "append_images": [image]} if kind == "MPO" else {}
    (tmp_path / "a").write_bytes(saved(image, kind, exif=exif.tobytes(), **options))
    image.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(image)).astype(int)
    found = np.asarray(load_image(tmp_path / "a").convert("RGB")).astype(int)
    assert found.shape == expected.shape
    assert np.abs(found - expected).mean() < 6  # a wrong turn is off by 60 and more


@pytest.mark.process
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_jpeg_repacked_as_jpeg_xl_is_turned_once(tmp_path: Path, orientation: int) -> None:
    """Its codestream states the orientation, and its EXIF states it again."""
    pytest.importorskip("pillow_jxl")
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture().save(tmp_path / "a.jpg", exif=exif, quality=95)
    with Image.open(tmp_path / "a.jpg") as opened:
        opened.save(tmp_path / "a.jxl", lossless_jpeg=True)
    header = jxl_header((tmp_path / "a.jxl").read_bytes())
    assert header is not None and header.orientation == orientation
    ours, jpeg = (np.asarray(load_image(tmp_path / f"a.{s}")).astype(int) for s in ("jxl", "jpg"))
    assert ours.shape == jpeg.shape and np.abs(ours - jpeg).max() <= 4


@pytest.mark.parametrize("kind", KINDS)
def test_sizes_are_refused_before_pixels_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    (tmp_path / "a").write_bytes(saved(picture(), kind))
    admitted: list[int] = []
    with (tmp_path / "a").open("rb") as file:
        idia_index.encode.images.decode_image(file, "a", admitted.append)
    assert admitted == [2 * 4 * 64 * 48]
    monkeypatch.setattr(idia_index.encode.images, "MAX_PIXELS", 3000)
    with pytest.raises(InputError, match="more than 3,000 pixels"):
        load_image(tmp_path / "a")


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def nested_heif(levels: int, parts: int) -> bytes:
    """A HEIF whose picture is a grid of grids of grids of one tile of a million pixels."""
    size = box(b"ispe", struct.pack(">III", 0, 1000, 1000))
    items = range(1, levels + 2)
    entries = b"".join(struct.pack(">HBB", item, 1, 1) for item in items)
    refs = b"".join(
        box(b"dimg", struct.pack(">HH", item, parts) + struct.pack(">H", item + 1) * parts)
        for item in items[:-1]
    )
    meta = b"".join(
        (
            box(b"hdlr", bytes(24)),
            box(
                b"iprp",
                box(b"ipco", size) + box(b"ipma", struct.pack(">II", 0, len(items)) + entries),
            ),
            box(b"iref", bytes(4) + refs),
        )
    )
    return box(b"ftyp", b"heic\0\0\0\0mif1heic") + box(b"meta", bytes(4) + meta)


def test_grids_of_grids_are_counted_by_what_they_cost(tmp_path: Path) -> None:
    pytest.importorskip("pillow_heif")
    assert heif_pixels(nested_heif(1, 12)) == 12_000_000
    assert heif_pixels(nested_heif(3, 200)) == 200**3 * 1_000_000
    (tmp_path / "a.heic").write_bytes(nested_heif(2, 250))
    with pytest.raises(InputError, match=r"a\.heic: more than 100,000,000 pixels"):
        load_image(tmp_path / "a.heic")


@pytest.mark.slow
@pytest.mark.parametrize("size", [(1, 1), (8, 8), (64, 48), (200, 100), (513, 8000), (300, 225)])
def test_a_jpeg_xl_states_its_size_first(size: tuple[int, int]) -> None:
    data = saved(Image.new("RGB", size, "teal"), "JXL")
    header = jxl_header(data)
    assert header is not None and (header.width, header.height) == size
    for cut in range(0, 40):
        jxl_header(data[:cut])


@pytest.mark.parametrize(("kind", "told"), [("HEIF", "HEIC"), ("JXL", "JPEG XL")])
def test_without_the_extra_one_line_says_how_to_get_it(
    tmp_path: Path, kind: str, told: str
) -> None:
    (tmp_path / "a.heic").write_bytes(saved(picture(), kind))
    code = (
        "import sys; sys.modules[sys.argv[2]] = None\n"
        "from idia_index.encode.images import load_image\n"
        "from idia_index.errors import InputError\n"
        "try: load_image(sys.argv[1])\n"
        "except InputError as error: print(error)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a.heic"), str(NEEDED[kind])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"a.heic: a {told} image; to read it: pip install" in done.stdout


def test_what_is_transparent_is_white_whatever_lies_below_and_whatever_the_size(
    tmp_path: Path,
) -> None:
    solid = picture()
    alpha = Image.new("L", solid.size, 0)
    alpha.paste(255, (0, 0, 32, 48))
    expected = Image.new("RGB", solid.size, "white")
    expected.paste(solid, mask=alpha)
    for hidden in ("red", "black", "white"):
        image = Image.new("RGB", solid.size, hidden)
        image.paste(solid, mask=alpha)
        image.putalpha(alpha)
        for suffix in ("png", "webp", "tif"):
            options = {"lossless": True, "exact": True} if suffix == "webp" else {}
            image.save(tmp_path / f"a.{suffix}", **options)
            found = load_image(tmp_path / f"a.{suffix}")
            assert (np.asarray(found) == np.asarray(expected)).all(), (hidden, suffix)
    half = Image.new("RGBA", (9, 700), (0, 0, 0, 128))
    half.save(tmp_path / "half.png")
    assert set(np.asarray(load_image(tmp_path / "half.png")).ravel().tolist()) == {127}
    grey = Image.new("LA", (9, 9), (0, 0))
    assert load_image(grey).getpixel((4, 4)) == (255, 255, 255)
    indexed = Image.new("P", (9, 9), 1)
    indexed.putpalette([0, 0, 0, 9, 9, 9])
    indexed.save(tmp_path / "p.gif", transparency=1)
    assert load_image(tmp_path / "p.gif").convert("RGB").getpixel((4, 4)) == (255, 255, 255)
    keyed = Image.fromarray(np.full((5, 5), 1000, np.uint16))
    keyed.save(tmp_path / "k.png", transparency=1000)
    assert np.asarray(load_image(tmp_path / "k.png")).max() == 255


def test_previews_of_raw_files_are_no_photos(tmp_path: Path) -> None:
    image = picture()
    image.save(tmp_path / "preview.tif", tiffinfo={254: 1})
    image.save(tmp_path / "raw.tif", tiffinfo={254: 1, 271: "Maker"})
    image.save(tmp_path / "whole.tif", tiffinfo={254: 0, 271: "Maker"})
    with pytest.raises(
        InputError, match=r"preview\.tif: a TIFF that begins with a reduced preview"
    ):
        load_image(tmp_path / "preview.tif")
    with pytest.raises(InputError, match=r"raw\.tif: a camera's raw file"):
        load_image(tmp_path / "raw.tif")
    assert load_image(tmp_path / "whole.tif").size == image.size


def test_what_a_file_makes_its_reader_say_is_no_terminal_command(tmp_path: Path) -> None:
    data = bytearray(saved(picture(), "HEIF"))
    associations = data.index(b"ipma") + 14  # of the first item: their number, then each
    for place in range(associations + 1, associations + 1 + data[associations]):
        data[place] |= 0x80  # essential
    (tmp_path / "a.heic").write_bytes(bytes(data).replace(b"ispe", b"c\x1b[l"))
    with pytest.raises(InputError, match=r"item property 'c\\x1b\[l'") as caught:
        load_image(tmp_path / "a.heic")
    assert str(caught.value).isprintable()
