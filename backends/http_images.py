"""How an image leaves the machine: what the model reads of it, its pixels and nothing else."""

from __future__ import annotations

import io

from PIL import Image

from idia_index.encode.preprocessing import Preprocessing


def fit_to(side: int) -> Preprocessing:
    """Fits images to a square of so many pixels, as CLIP's preprocessing does."""
    return Preprocessing(side, side, mean=(0.0,) * 3, std=(1.0,) * 3)


def png(image: Image.Image) -> bytes:
    """An image in RGB as PNG, without metadata."""
    bare = image.convert("RGB")
    bare.info = {}
    out = io.BytesIO()
    bare.save(out, "PNG")
    return out.getvalue()
