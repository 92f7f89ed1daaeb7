"""What is trained and how: the shape of the model and the settings of the optimiser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

MEAN = (0.5, 0.5, 0.5)
STD = (0.25, 0.25, 0.25)
CONTEXT = 24

# The format of open_clip's `local-dir:` folders. `quick_gelu: false` is the exact GELU.
CONFIG: dict[str, Any] = {
    "model_cfg": {
        "embed_dim": 64,
        "quick_gelu": False,
        "vision_cfg": {
            "image_size": 64, "patch_size": 16, "width": 128, "layers": 4, "head_width": 32,
        },
        "text_cfg": {
            "context_length": CONTEXT, "vocab_size": 49408, "width": 128, "heads": 4, "layers": 2,
        },
    },
    "preprocess_cfg": {
        "size": [64, 64], "mode": "RGB", "mean": list(MEAN), "std": list(STD),
        "interpolation": "bicubic", "resize_mode": "shortest", "fill_color": 0,
    },
}  # fmt: skip


@dataclass(frozen=True)
class Recipe:
    """Settings of one training run.

    `shift` is in pixels, `light` a share of the brightness, `least_share` of the width: where it is
    below 1, each image is shown in the middle of a plain one of which it takes a share drawn anew.
    """

    steps: int = 1000
    batch: int = 256
    rate: float = 1e-3
    warm_up: int = 50
    decay: float = 0.1
    shift: int = 2
    light: float = 0.10
    least_share: float = 1.0
    save_every: int = 100
