"""The study's model as a folder that transformers loads, and so whatever serves such folders.

python benchmarks/hosted/transformers_folder.py FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from transformers import CLIPConfig, CLIPModel

from idia_index.backends.open_clip import OpenClipBackend
from idia_index.study import MODEL_DIR

START, END = "<|startoftext|>", "<|endoftext|>"


def config(source: OpenClipBackend) -> CLIPConfig:
    """transformers' configuration of the same network."""
    cfg = json.loads((MODEL_DIR / "open_clip_config.json").read_text())["model_cfg"]
    text, vision = cfg["text_cfg"], cfg["vision_cfg"]
    shared: dict[str, Any] = {"hidden_act": "quick_gelu" if cfg.get("quick_gelu") else "gelu"}
    return CLIPConfig(
        projection_dim=cfg["embed_dim"],
        text_config={
            **shared, "hidden_size": text["width"], "num_hidden_layers": text["layers"],
            "num_attention_heads": text["heads"], "vocab_size": text["vocab_size"],
            "intermediate_size": int(text["width"] * text.get("mlp_ratio", 4.0)),
            "max_position_embeddings": text["context_length"],
            "bos_token_id": 49406, "eos_token_id": 49407, "pad_token_id": 49407,
        },
        vision_config={
            **shared, "hidden_size": vision["width"], "num_hidden_layers": vision["layers"],
            "num_attention_heads": vision["width"] // vision.get("head_width", 64),
            "intermediate_size": int(vision["width"] * vision.get("mlp_ratio", 4.0)),
            "image_size": vision["image_size"], "patch_size": vision["patch_size"],
        },
        logit_scale_init_value=float(np.log(source.logit_scale or 100.0)),
    )  # fmt: skip


NAMES = {
    "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
    "text_model.embeddings.position_embedding.weight": "positional_embedding",
    "text_model.final_layer_norm": "ln_final",
    "vision_model.embeddings.class_embedding": "visual.class_embedding",
    "vision_model.embeddings.patch_embedding.weight": "visual.conv1.weight",
    "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding",
    "vision_model.pre_layrnorm": "visual.ln_pre",
    "vision_model.post_layernorm": "visual.ln_post",
    "text_projection.weight": "text_projection",
    "visual_projection.weight": "visual.proj",
    "text_model.encoder.layers": "transformer.resblocks",
    "vision_model.encoder.layers": "visual.transformer.resblocks",
    "self_attn.out_proj": "attn.out_proj", "layer_norm1": "ln_1", "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj",
}  # fmt: skip


def weight(name: str, state: dict[str, torch.Tensor]) -> torch.Tensor:
    """The weight that transformers calls by a name, of open_clip's."""
    if name == "logit_scale":
        return state[name]
    own = name
    for theirs, ours in NAMES.items():
        own = own.replace(theirs, ours)
    if ".self_attn." in own:  # queries, keys and values stand in one matrix
        before, _, rest = own.partition(".self_attn.")
        place = "qkv".index(rest[0])
        joined = state[f"{before}.attn.in_proj_{rest.rpartition('.')[2]}"]
        return joined.chunk(3)[place]
    return state[own].T if name.endswith("_projection.weight") else state[own]


def write(folder: Path) -> None:
    """Writes configuration, weights, tokenizer and preprocessing."""
    source = OpenClipBackend(model=f"local-dir:{MODEL_DIR}", device="cpu")
    state = {name: value.detach() for name, value in source.clip.state_dict().items()}
    model = CLIPModel(config(source)).eval()
    found = {
        name: weight(name, state).contiguous().clone()
        for name in model.state_dict()
        if not name.endswith("position_ids")
    }
    missing, strange = model.load_state_dict(found, strict=False)
    assert not strange and all(name.endswith("position_ids") for name in missing), (
        missing,
        strange,
    )
    model.save_pretrained(folder)
    write_tokenizer(folder, model.config.text_config.max_position_embeddings)
    pre = json.loads(source.fingerprint.preprocessing)
    side = pre["size"][0]
    files = {
        "preprocessor_config.json": {
            "image_processor_type": "CLIPImageProcessor", "processor_class": "CLIPProcessor",
            "do_resize": True, "size": {"shortest_edge": side}, "resample": 3,
            "do_center_crop": True, "crop_size": {"height": side, "width": side},
            "do_rescale": True, "rescale_factor": 1 / 255, "do_convert_rgb": True,
            "do_normalize": True, "image_mean": pre["mean"], "image_std": pre["std"],
        },
    }  # fmt: skip
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def write_tokenizer(folder: Path, context: int) -> None:
    """CLIP's tokenizer as vocab.json and merges.txt, which every version reads."""
    own = open_clip.tokenizer.SimpleTokenizer()
    renamed = {"<start_of_text>": START, "<end_of_text>": END}
    vocabulary = {renamed.get(token, token): place for token, place in own.encoder.items()}
    merges = [" ".join(pair) for pair in sorted(own.bpe_ranks, key=own.bpe_ranks.__getitem__)]
    config = {
        "tokenizer_class": "CLIPTokenizer", "model_max_length": context, "bos_token": START,
        "eos_token": END, "unk_token": END, "pad_token": END, "do_lower_case": True,
    }  # fmt: skip
    texts = {
        "vocab.json": json.dumps(vocabulary),
        "merges.txt": "#version: 0.2\n" + "\n".join(merges) + "\n",
        "tokenizer_config.json": json.dumps(config, indent=1) + "\n",
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
