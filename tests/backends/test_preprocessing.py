"""Preprocessing without torchvision: open_clip's pixels, bit for bit."""

from __future__ import annotations

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from idia_index.encode.images import load_image
from idia_index.encode.preprocessing import Preprocessing
from idia_index.errors import InputError
from idia_index.support.documents import from_json

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
MODES = ("RGB", "L", "LA", "P", "PA", "RGBA", "CMYK", "I;16", "1", "I", "F", "YCbCr", "LAB", "HSV")
SIZES = (
    (1, 1),
    (1, 7),
    (7, 1),
    (31, 33),
    (64, 64),
    (63, 200),
    (200, 63),
    (65, 64),
    (500, 333),
    (37, 999),
    (2, 301),
)
TARGETS = (64, (48, 80), (80, 48), 33)


@cache
def noise(mode: str, size: tuple[int, int]) -> Image.Image:
    random = np.random.default_rng(size)
    width, height = size
    if mode == "I;16":
        return Image.fromarray(random.integers(0, 65536, (height, width)).astype(np.uint16))
    if mode == "I":
        return Image.fromarray(random.integers(-9, 70000, (height, width)).astype(np.int32))
    if mode == "F":
        return Image.fromarray(random.uniform(-20, 280, (height, width)).astype(np.float32))
    image = Image.fromarray(random.integers(0, 256, (height, width, 4)).astype(np.uint8), "RGBA")
    if mode == "CMYK":
        return Image.frombytes("CMYK", size, image.tobytes())
    if mode == "PA":
        return image.convert("P").convert("PA")
    return image.convert("RGB").convert(mode) if mode not in ("LA", "RGBA") else image.convert(mode)


def sides(target: int | tuple[int, int]) -> tuple[int, int]:
    return (target, target) if isinstance(target, int) else target


def open_clip_transform(size: Any, mode: str, interpolation: str, fill: int) -> Any:
    transform = pytest.importorskip("open_clip.transform")
    return transform.image_transform(size, False, MEAN, STD, mode, interpolation, fill)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("resize_mode", ["shortest", "longest", "squash"])
def test_pixels_are_open_clips(mode: str, resize_mode: Any) -> None:
    for target in TARGETS:
        for interpolation, fill in (("bicubic", 0), ("bilinear", 127)):
            reference = open_clip_transform(target, resize_mode, interpolation, fill)
            ours = Preprocessing(
                *sides(target),
                MEAN,
                STD,
                interpolation,
                resize_mode,
                fill,  # type: ignore[arg-type]
            )
            for size in SIZES:
                image = noise(mode, size)
                assert image.mode == mode
                try:
                    expected = reference(image).numpy()
                except ValueError:  # too long for its width, or a mode this Pillow cannot convert
                    with pytest.raises(InputError):
                        ours.pixels([image])
                    continue
                found = ours.pixels([image])[0]
                assert found.dtype == np.float32
                np.testing.assert_array_equal(found, expected, f"{target} {interpolation} {size}")


def test_exif_orientation_comes_first(tmp_path: Path) -> None:
    upright = noise("RGB", (40, 90))
    exif = Image.Exif()
    exif[0x0112] = 6  # shown after a quarter turn clockwise
    turned = upright.transpose(Image.Transpose.ROTATE_90)
    turned.save(tmp_path / "phone.png", exif=exif)
    ours = Preprocessing(32, 32, MEAN, STD)
    reference = open_clip_transform(32, "shortest", "bicubic", 0)
    loaded = load_image(tmp_path / "phone.png")
    assert loaded.size == (40, 90)
    found = ours.pixels([loaded])[0]
    np.testing.assert_array_equal(found, reference(upright).numpy())
    # What a loader that ignores the orientation would give:
    assert np.abs(found - reference(turned).numpy()).max() > 0.1


def test_threads_and_batches_change_nothing() -> None:
    images = [noise(mode, size) for mode in ("RGB", "L", "P") for size in SIZES[3:8]]
    ours = Preprocessing(48, 48, MEAN, STD)
    one_by_one = np.concatenate([ours.pixels([image]) for image in images])
    np.testing.assert_array_equal(ours.pixels(images), one_by_one)
    with ThreadPoolExecutor(3) as executor:
        alone = executor.map(lambda image: ours.pixels([image]), images)
        np.testing.assert_array_equal(np.concatenate(list(alone)), one_by_one)
    assert ours.pixels([]).shape == (0, 3, 48, 48)


def test_json_round_trip() -> None:
    ours = Preprocessing(48, 80, MEAN, STD, "bilinear", "longest", 9)
    assert from_json(Preprocessing, json.loads(json.dumps(dataclasses.asdict(ours)))) == ours


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"size": 24, "mean": MEAN, "std": STD}, Preprocessing(24, 24, MEAN, STD)),
        (
            {"size": (24, 32), "mean": 0.5, "std": 0.25, "interpolation": "random"},
            Preprocessing(24, 32, (0.5,) * 3, (0.25,) * 3),
        ),
        (
            {
                "size": [24],
                "mean": MEAN,
                "std": STD,
                "interpolation": "bilinear",
                "resize_mode": "squash",
                "fill_color": 3,
            },
            Preprocessing(24, 24, MEAN, STD, "bilinear", "squash", 3),
        ),
    ],
)
def test_open_clip_configurations(config: dict[str, Any], expected: Preprocessing) -> None:
    assert Preprocessing.from_open_clip(config) == expected


@pytest.mark.parametrize(
    "change",
    [
        {"height": 0},
        {"width": 100_000},
        {"interpolation": "nearest"},
        {"resize_mode": "crop"},
        {"std": (1.0, 0.0, 1.0)},
        {"mean": (0.0, float("nan"), 0.0)},
        {"mean": (0.0, 0.0)},
        {"fill_color": 256},
    ],
)
def test_parameters_out_of_range_are_refused(change: dict[str, Any]) -> None:
    data = {**dataclasses.asdict(Preprocessing(8, 8, MEAN, STD)), **change}
    with pytest.raises(ValueError):
        from_json(Preprocessing, data)


def test_an_image_too_long_for_its_width_is_refused() -> None:
    image = Image.new("L", (1, 60_000))
    with pytest.raises(InputError, match="1 x 60000 pixels is too elongated"):
        Preprocessing(224, 224, MEAN, STD).pixels([image])
