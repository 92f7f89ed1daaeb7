"""Converts images to pixels as open_clip's inference transform does, without torchvision.

Resizes, crops to the centre (padding small images), converts to RGB, scales to 0..1, normalizes,
in this order: resizing after the conversion would change the pixels of palette and alpha images.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, cast

import numpy as np
from PIL import Image, ImageOps

from idia_index.encode.images import MAX_PIXELS
from idia_index.errors import InputError
from idia_index.types import Float32

Interpolation = Literal["bicubic", "bilinear"]
ResizeMode = Literal["shortest", "longest", "squash"]
MAX_SIDE = 4096  # maximum side of a model's input in pixels; no CLIP model comes near

_FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}
_RESIZE_MODES = ("shortest", "longest", "squash")
_Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Preprocessing:
    """How images become the input of an image tower.

    Attributes:
        height: rows of the input.
        width: columns of the input.
        mean: subtracted from each channel of 0..1.
        std: divisor of each channel afterwards.
        interpolation: resizing filter.
        resize_mode: "shortest" fits the shorter side and crops the rest, "longest" fits the
            longer side and pads, "squash" fits both.
        fill_color: padding value 0..255 for "longest".
    """

    height: int
    width: int
    mean: _Triple
    std: _Triple
    interpolation: Interpolation = "bicubic"
    resize_mode: ResizeMode = "shortest"
    fill_color: int = 0

    def __post_init__(self) -> None:
        if not (1 <= self.height <= MAX_SIDE and 1 <= self.width <= MAX_SIDE):
            raise ValueError(f"an input of {self.width} x {self.height} pixels")
        if self.interpolation not in _FILTERS:
            raise ValueError(f"interpolation {self.interpolation!r}")
        if self.resize_mode not in _RESIZE_MODES:
            raise ValueError(f"resize mode {self.resize_mode!r}")
        if not 0 <= self.fill_color <= 255:
            raise ValueError(f"fill color {self.fill_color}")
        if not all(map(math.isfinite, (*self.mean, *self.std))) or 0 in self.std:
            raise ValueError(f"mean {self.mean} and deviation {self.std}")

    @classmethod
    def from_open_clip(cls, config: Mapping[str, Any]) -> Preprocessing:
        """From the `preprocess_cfg` of an open_clip image tower.

        Raises KeyError, TypeError or ValueError for unsupported settings.
        """
        if config.get("mode", "RGB") != "RGB":
            raise ValueError(f"image mode {config['mode']!r}")
        size = config["size"]
        height, width = (size, size) if isinstance(size, int) else (int(size[0]), int(size[-1]))
        # open_clip uses "random" for training and bicubic instead for inference.
        interpolation = config.get("interpolation") or "bicubic"
        if interpolation not in (*_FILTERS, "random"):
            raise ValueError(f"interpolation {interpolation!r}")
        bilinear = interpolation == "bilinear"
        return cls(
            height=height,
            width=width,
            mean=_triple(config["mean"]),
            std=_triple(config["std"]),
            interpolation="bilinear" if bilinear else "bicubic",
            resize_mode=cast(ResizeMode, config.get("resize_mode") or "shortest"),
            fill_color=int(config.get("fill_color") or 0),
        )

    def pixels(self, images: Sequence[Image.Image]) -> Float32:
        """Pixels float32 [n, 3, height, width] of images in any mode.

        Raises:
            InputError: an image cannot be resized or converted to RGB.
        """
        out = np.empty((len(images), 3, self.height, self.width), np.float32)
        for image, room in zip(images, out, strict=True):
            self._fill(image, room)
        return out

    def _fill(self, image: Image.Image, out: Float32) -> None:
        rgb = np.asarray(self.fitted(image))
        for channel, values in enumerate(self._values):
            # "clip" saves NumPy a copy; a byte is never out of range.
            np.take(values, rgb[:, :, channel], out=out[channel], mode="clip")

    def fitted(self, image: Image.Image) -> Image.Image:
        """An RGB image of width x height.

        Raises:
            InputError: the image cannot be resized or converted to RGB.
        """
        try:
            fitted = self._cropped(self._resized(image))
            return fitted if fitted.mode == "RGB" else fitted.convert("RGB")
        except (ValueError, OSError, MemoryError) as error:
            raise InputError(
                f"an image of {image.width} x {image.height} pixels, mode {image.mode}, cannot be "
                f"prepared for the model ({error}); convert it to RGB"
            ) from error

    def seen(self, width: int, height: int) -> tuple[float, float, float, float]:
        """Left, top, right and bottom, in pixels, of what `fitted` shows of an image of `width` x
        `height`; outside the image where it is padded."""
        size = self._target(width, height)
        edges = []
        for own, whole, given in zip((self.width, self.height), size, (width, height), strict=True):
            start = round((whole - own) / 2) if whole >= own else -((own - whole) // 2)
            edges.append((start * given / whole, (start + own) * given / whole))
        (left, right), (top, bottom) = edges
        return left, top, right, bottom

    @cached_property
    def _values(self) -> list[Float32]:
        """The normalized value of every byte, float32 [256], for each of 3 channels."""
        scaled = np.arange(256, dtype=np.float32) / np.float32(255)
        return [
            (scaled - np.float32(mean)) / np.float32(std)
            for mean, std in zip(self.mean, self.std, strict=True)
        ]

    def _resized(self, image: Image.Image) -> Image.Image:
        size = self._target(image.width, image.height)
        if size == image.size:
            return image
        if min(size) < 1 or size[0] * size[1] > MAX_PIXELS:
            raise InputError(
                f"an image of {image.width} x {image.height} pixels is too elongated: the model "
                f"would see it scaled to {size[0]} x {size[1]}; crop it"
            )
        # In this case open_clip uses the default filter.
        ignored = self.resize_mode == "shortest" and self.height != self.width
        return image.resize(size, _FILTERS["bicubic" if ignored else self.interpolation])

    def _target(self, width: int, height: int) -> tuple[int, int]:
        """Width and height to resize an image of `width` x `height` to."""
        if self.resize_mode == "squash":
            return self.width, self.height
        if self.resize_mode == "shortest" and self.height == self.width:
            # The rounding differs between this case and the next.
            long = int(self.height * max(width, height) / min(width, height))
            return (self.width, long) if width <= height else (long, self.height)
        ratios = (height / self.height, width / self.width)
        ratio = min(ratios) if self.resize_mode == "shortest" else max(ratios)
        return round(width / ratio), round(height / ratio)

    def _cropped(self, image: Image.Image) -> Image.Image:
        if self.resize_mode == "squash":
            return image
        missing = max(self.width - image.width, 0), max(self.height - image.height, 0)
        if any(missing):
            # The odd pixel goes to the right and bottom.
            before = missing[0] // 2, missing[1] // 2
            after = (missing[0] + 1) // 2, (missing[1] + 1) // 2
            image = self._padded(image, (*before, *after))
        if image.size == (self.width, self.height):
            return image
        left = round((image.width - self.width) / 2)
        top = round((image.height - self.height) / 2)
        return image.crop((left, top, left + self.width, top + self.height))

    def _padded(self, image: Image.Image, border: tuple[int, int, int, int]) -> Image.Image:
        value = self.fill_color if self.resize_mode == "longest" else 0
        bands = len(image.getbands())
        palette = image.getpalette() if image.mode == "P" else None
        padded = ImageOps.expand(image, border, value if bands == 1 else (value,) * bands)
        if palette is not None:
            padded.putpalette(palette)
        return padded


# The preprocessing of most CLIP models, to inspect photos without a model.
USUAL = Preprocessing(
    224, 224, (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
)


def _triple(values: Any) -> _Triple:
    if isinstance(values, int | float):
        return (float(values),) * 3
    first, second, third = map(float, values)
    return first, second, third
