"""The image loader: upright and complete, or one line with the reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import idia_index.encode.images
from idia_index.encode.images import load_image
from idia_index.errors import InputError


def gradient(mode: str = "RGB") -> Image.Image:
    pixels = np.arange(6 * 4 * 3, dtype=np.uint8).reshape(6, 4, 3) * 3
    if mode == "I;16":  # to which Pillow did not always convert
        return Image.fromarray(pixels[:, :, 0].astype(np.uint16))
    return Image.fromarray(pixels).convert(mode)


TURNS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: a.transpose(1, 0, 2)[:, ::-1],
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: a.transpose(1, 0, 2)[::-1],
}


@pytest.mark.parametrize("orientation", TURNS)
def test_phone_photos_come_upright(tmp_path: Path, orientation: int) -> None:
    image = gradient()
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / "a.png", exif=exif)
    expected = TURNS[orientation](np.asarray(image))
    for source in (tmp_path / "a.png", str(tmp_path / "a.png"), Image.open(tmp_path / "a.png")):
        assert (np.asarray(load_image(source)) == expected).all()


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "I;16"])
def test_the_mode_of_the_file_stays(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("a.tif" if mode == "CMYK" else "a.png")
    gradient(mode).save(path)
    with Image.open(path) as opened:  # which Pillow before 10.3 calls I where it is I;16
        assert opened.mode in (mode, mode[:1])
        assert load_image(path).mode == opened.mode


def test_of_an_animation_the_first_frame_is_taken(tmp_path: Path) -> None:
    red, blue = (Image.new("RGB", (5, 5), color) for color in ("red", "blue"))
    for suffix in ("gif", "webp"):
        path = tmp_path / f"a.{suffix}"
        red.save(path, save_all=True, append_images=[blue])
        assert load_image(path).convert("RGB").getpixel((2, 2))[0] > 200


def test_damaged_exif_leaves_the_pixels(tmp_path: Path) -> None:
    gradient().save(tmp_path / "a.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\xff" * 40)
    assert load_image(tmp_path / "a.jpg").size == (4, 6)


def test_what_is_no_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("not an image")
    (tmp_path / "empty.jpg").write_bytes(b"")
    gradient().resize((300, 300)).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:-600])
    (tmp_path / "folder.png").mkdir()
    for name in ("text.jpg", "empty.jpg", "cut.png", "folder.png", "gone.png"):
        with pytest.raises(InputError, match=name) as caught:
            load_image(tmp_path / name)
        assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_huge_images_are_refused_before_they_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("1", (30_000, 30_000)).save(tmp_path / "bomb.png")
    with pytest.raises(InputError, match=r"bomb\.png: more than 100,000,000 pixels"):
        load_image(tmp_path / "bomb.png")
    monkeypatch.setattr(idia_index.encode.images, "MAX_PIXELS", 20)
    gradient().save(tmp_path / "small.png")
    with pytest.raises(InputError, match=r"more than 20 pixels \(4 x 6\)"):
        load_image(tmp_path / "small.png")
