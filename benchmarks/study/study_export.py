"""Writes a trained model as an open_clip `local-dir:` folder, in half precision."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from study_recipe import CONFIG

WEIGHTS = "open_clip_model.safetensors"


def export_model(model: Any, vocabulary: torch.Tensor, folder: Path) -> None:
    """Writes the configuration and the fp16 weights.

    Args:
        model: the trained open_clip model, its token embedding cut to `vocabulary`.
        vocabulary: int64 `[v]`, the token ids that training captions used. The embeddings of all
            others become zero: they carry no information, and compress to nothing.
        folder: created if missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = {name: value.detach().clone() for name, value in model.state_dict().items()}
    rows = state["token_embedding.weight"]
    full = torch.zeros(CONFIG["model_cfg"]["text_cfg"]["vocab_size"], rows.shape[1])
    full[vocabulary] = rows
    state["token_embedding.weight"] = full
    halves = {
        name: (value.half() if value.is_floating_point() else value).contiguous()
        for name, value in state.items()
    }
    save_file(halves, folder / WEIGHTS, metadata={"format": "pt"})
    text = json.dumps(CONFIG, indent=2) + "\n"
    (folder / "open_clip_config.json").write_text(text, encoding="utf-8")
