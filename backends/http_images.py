"""How an image leaves the machine: its pixels and nothing else."""

from __future__ import annotations

import io

from PIL import Image


def png(image: Image.Image) -> bytes:
    """An image in RGB as PNG, without metadata."""
    bare = image.convert("RGB")
    bare.info = {}
    out = io.BytesIO()
    bare.save(out, "PNG")
    return out.getvalue()
