"""Other ways from image files to CLIP embeddings, each as its project publishes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip
import torch
from PIL import Image
from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

Way = Callable[[list[Path]], Any]
BATCH = 32


def _unit(rows: torch.Tensor) -> Any:
    return (rows / rows.norm(dim=1, keepdim=True)).float().numpy()


def published(spec: str) -> Way:
    """open_clip, as its README encodes images: transform each, stack, encode_image."""
    arch, _, path = spec.partition("/")
    model, _, transform = open_clip.create_model_and_transforms(arch, pretrained=path)
    model.eval()

    def run(paths: list[Path]) -> Any:
        out = []
        for start in range(0, len(paths), BATCH):
            batch = [transform(Image.open(path)) for path in paths[start : start + BATCH]]
            with torch.no_grad():
                out.append(model.encode_image(torch.stack(batch)))
        return _unit(torch.cat(out))

    return run


def transformers_clip() -> Way:
    """transformers' ViT-B/32 and CLIPImageProcessor, with random weights of its own."""
    torch.manual_seed(0)
    config = CLIPVisionConfig(
        hidden_size=768, intermediate_size=3072, projection_dim=512, num_hidden_layers=12,
        num_attention_heads=12, image_size=224, patch_size=32,
    )  # fmt: skip
    model = CLIPVisionModelWithProjection(config).eval()
    processor = CLIPImageProcessor()

    def run(paths: list[Path]) -> Any:
        out = []
        for start in range(0, len(paths), BATCH):
            images = [Image.open(path).convert("RGB") for path in paths[start : start + BATCH]]
            with torch.no_grad():
                out.append(model(**processor(images=images, return_tensors="pt")).image_embeds)
        return _unit(torch.cat(out))

    return run
