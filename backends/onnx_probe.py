"""Compares an export with its source model on built-in texts and images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from idia_index.encode.backend import Backend
from idia_index.errors import IdiaIndexError
from idia_index.plugins import BackendPlugin
from idia_index.types import Float32

# Names and marks in many scripts, text that cleaning changes, and lengths from one word to many.
TEXTS = (
    "a",
    "Jane Doe",
    "a photo of Jane Doe",
    "a photo of Jane Dow, smiling",
    "The person's name is Zoë O'Brien-García.",
    "Łukasz Żółć & Ñandú &amp; Åse &lt;3",
    "Nguyễn Thị Minh Khai",
    "Владимир Иванов, Ελένη Παπαδοπούλου",
    "محمد علي, יעל כהן, आर्या शर्मा",
    "王小明 山田太郎 김민준 สมชาย",
    "ﬁne  “quotes”\u00a0and\tspace 😀👩‍🚀 №5 ½",
    "schÃ¶n, cafe\u0301, I'VE, we'll, 1234567",
    "x " * 40,
    "a photo of " * 25,
)
_SIZES = ((224, 224), (64, 300), (301, 97), (1, 1), (640, 480))
_MODES = ("RGB", "L", "RGBA", "P", "CMYK")

# Largest difference between unit rows. float32: sums in another order. float16: the weights
# are rounded to 11 bits, and differences of single numbers stay far below this.
TOLERANCES = {"float32": 1e-5, "float16": 2e-2}


@dataclass(frozen=True)
class ProbeReport:
    """The difference between an export and its source on the probe.

    Attributes:
        texts: texts compared; their tokens are equal.
        images: images compared.
        text_difference: largest absolute difference of a component of a text's unit rows.
        image_difference: the same for image embeddings.
        text_cosine: smallest cosine of a text's two embeddings.
        image_cosine: the same for images.
    """

    texts: int
    images: int
    text_difference: float
    image_difference: float
    text_cosine: float
    image_cosine: float


def probe_images() -> list[Image.Image]:
    """Images with coarse and fine structure, of several sizes and modes."""
    images = []
    for number, ((width, height), mode) in enumerate(zip(_SIZES, _MODES, strict=True)):
        x, y = np.meshgrid(np.linspace(0, 9, width), np.linspace(0, 7, height))
        waves = [np.sin(x * (c + 1) + number) * np.cos(y + c * number) for c in range(3)]
        noise = np.random.default_rng(number).uniform(-30, 30, (height, width, 3))
        pixels = np.clip(np.stack(waves, axis=2) * 90 + 128 + noise, 0, 255).astype(np.uint8)
        images.append(Image.fromarray(pixels).convert(mode))
    return images


def probe(source: BackendPlugin, opened: Callable[[], BackendPlugin], dtype: str) -> ProbeReport:
    """Compares an export with its source, one by one and in batches.

    Args:
        source: the model that was exported.
        opened: opens the export, anew for each tower, to hold only one in memory.
        dtype: the export's.

    Raises:
        IdiaIndexError: tokens differ, or embeddings by more than `TOLERANCES`.
    """
    export = Backend(opened())
    probes = _check_tokens(source, export.plugin)
    texts = _compare(Backend(source).encode_texts, export.encode_texts, probes)
    del export
    images = _compare(
        Backend(source).encode_images, Backend(opened()).encode_images, probe_images()
    )
    for what, (difference, _) in (("text", texts), ("image", images)):
        # NaN compares as false, and fails.
        if not difference <= TOLERANCES[dtype]:
            raise IdiaIndexError(
                f"the export is not faithful: its {what} embeddings differ from the model's by "
                f"{difference:.2g}, at most {TOLERANCES[dtype]:g} is allowed; use the open_clip "
                "backend"
            )
    return ProbeReport(len(probes), len(_SIZES), texts[0], images[0], texts[1], images[1])


def _check_tokens(source: BackendPlugin, export: BackendPlugin) -> list[str]:
    """Compares the tokens of all texts; returns the texts within the context length."""
    assert source.text_tower is not None and export.text_tower is not None
    mine, theirs = source.text_tower.tokenizer, export.text_tower.tokenizer
    tokens = mine.encode(TEXTS)
    pairs = zip(TEXTS, tokens, theirs.encode(TEXTS), strict=True)
    wrong = [text for text, a, b in pairs if a != b]
    if wrong or (mine.start, mine.end) != (theirs.start, theirs.end):
        raise IdiaIndexError(
            f"the export is not faithful: its tokens of {(wrong or ['(start, end)'])[0]!r} are "
            "not the model's; use the open_clip backend"
        )
    most = source.text_tower.context_length - 2
    return [text for text, ids in zip(TEXTS, tokens, strict=True) if len(ids) <= most]


def _compare(
    source: Callable[[Any], Float32], export: Callable[[Any], Float32], items: Sequence[Any]
) -> tuple[float, float]:
    """Largest difference and smallest cosine, embedding all items at once and one by one."""
    expected = source(items)
    found = export(items)
    alone = np.concatenate([export([item]) for item in items])
    difference = max(float(np.abs(expected - rows).max()) for rows in (found, alone))
    cosine = min(float((expected * rows).sum(axis=1).min()) for rows in (found, alone))
    return difference, cosine
