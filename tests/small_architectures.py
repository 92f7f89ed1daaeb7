"""Every architecture of open_clip at a small width and depth, all else of it as it is published."""

from __future__ import annotations

import copy
import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import open_clip
import timm
import torch
import transformers
from safetensors.torch import save_file
from timm.models.vitamin import VitCfg, VitConvCfg
from tokenizers import Tokenizer, models, pre_tokenizers, processors

WIDTH = 64
# Words in two cases and with punctuation, which tokenizers' cleaning steps treat differently.
TEXTS = ("a photo of Jane Doe", "A Photo of jane doe!", "Jane_Doe", "x  of\nJane")
_WORDS = ("a", "A", "photo", "Photo", "of", "Jane", "jane", "Doe", "doe", "x", "_", "!", "janedoe")


@cache
def _small_timm(name: str) -> str:
    """A model of timm like another, of a few narrow layers; registered under the name returned."""
    if name.startswith("convnext"):
        less: dict[str, Any] = {"depths": [1, 1, 2, 1], "dims": [32, 48, 64, WIDTH]}
    elif name.startswith("fastvit"):
        stages = 5 if name[-1] in "34" else 4
        less = {"layers": (1,) * stages, "embed_dims": (32,) * (stages - 1) + (WIDTH,)}
    elif name.startswith("vitamin"):
        stem = VitCfg(
            embed_dim=(16, 32, WIDTH),
            depths=(1, 1, 1),
            stem_width=16,
            conv_cfg=VitConvCfg(norm_layer="layernorm2d", norm_eps=1e-6),
            head_type="1d",
        )
        less = {"embed_dim": WIDTH, "depth": 1, "num_heads": 2, "embed_cfg": stem}
    elif name == "vit_base_mci_224":  # its stem is of the full width
        less = {"depth": 1}
    else:
        less = {"embed_dim": WIDTH, "depth": 2, "num_heads": 4}

    def small(pretrained: bool = False, **options: Any) -> Any:
        return timm.create_model(name, pretrained=pretrained, **{**less, **options})

    small.__name__ = f"idia_small_{name}"
    timm.models.register_model(small)
    return small.__name__


def small_config(architecture: str, folder: Path) -> dict[str, Any]:
    """Its configuration with fewer and narrower layers; `folder` has tokenizers and towers."""
    made = copy.deepcopy(open_clip.get_model_config(architecture))
    made["embed_dim"] = WIDTH
    vision, text = made["vision_cfg"], made["text_cfg"]
    if name := vision.get("timm_model_name"):
        vision["timm_model_name"] = _small_timm(name)
    elif isinstance(vision["layers"], list):
        vision.update(layers=[1, 1, 1, 1], width=16)
    else:
        vision.update(layers=2, width=2 * vision.get("head_width", 64))
    if "hf_model_name" not in text:
        text.update(width=WIDTH, heads=2, layers=2)
    if "hf_tokenizer_name" in text:
        kind = text.get("hf_model_name", "")
        text["hf_tokenizer_name"] = str(folder / _tower_kind(kind))
        text["vocab_size"] = WIDTH
        if kind:
            text["hf_model_name"] = text["hf_tokenizer_name"]
    if "multimodal_cfg" in made:
        made["multimodal_cfg"].update(width=WIDTH, heads=2, layers=1)
    return dict(made)


def _tower_kind(name: str) -> str:
    return next((k for k in ("xlm-roberta", "nllb", "roberta") if k in name), "plain")


def save_towers(folder: Path) -> None:
    """A tokenizer of a few words, and the configuration of each kind of text tower beside it."""
    sizes = {"vocab_size": WIDTH, "hidden_size": WIDTH, "num_hidden_layers": 2}
    rest = {"num_attention_heads": 2, "intermediate_size": 96, "pad_token_id": 1}
    ends = {"encoder_layers": 2, "decoder_layers": 1, "encoder_ffn_dim": 96, "decoder_ffn_dim": 96}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2}
    for kind, config in {
        "roberta": transformers.RobertaConfig(**sizes, **rest),
        "xlm-roberta": transformers.XLMRobertaConfig(**sizes, **rest),
        "nllb": transformers.M2M100Config(vocab_size=WIDTH, d_model=WIDTH, **ends, **heads),
        "plain": None,
    }.items():
        words = ["<s>", "<pad>", "</s>", "<unk>", *_WORDS]
        made = Tokenizer(models.WordLevel({w: n for n, w in enumerate(words)}, unk_token="<unk>"))
        made.pre_tokenizer = pre_tokenizers.Whitespace()
        made.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
        )
        names = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"}
        transformers.PreTrainedTokenizerFast(
            tokenizer_object=made, unk_token="<unk>", sep_token="</s>", cls_token="<s>", **names
        ).save_pretrained(folder / kind)
        if config is not None:
            config.save_pretrained(folder / kind)


def random_state(architecture: str) -> dict[str, Any]:
    """Random weights as open_clip's own factory makes them, biases and gains among them."""
    torch.manual_seed(0)
    model = open_clip.create_model(architecture, load_weights=False, pretrained_text=False)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if name.endswith("text_projection"):  # CoCa leaves one as the memory was
                value.normal_(std=0.1)
            elif value.ndim == 1:
                value.add_(0.1 * torch.randn_like(value))
    return dict(model.state_dict())


def plant(hub: Path, architecture: str, tag: str, state: dict[str, Any]) -> Path:
    """Puts weights where a hub's cache has those of a tag."""
    entry = open_clip.get_pretrained_cfg(architecture, tag)
    repository, name = os.path.split(entry["hf_hub"])
    folder = hub / f"models--{repository.replace('/', '--')}"
    file = folder / "snapshots" / "abc" / (name or "open_clip_model.safetensors")
    file.parent.mkdir(parents=True, exist_ok=True)
    (folder / "refs").mkdir(exist_ok=True)
    (folder / "refs" / "main").write_text("abc")
    if file.suffix == ".safetensors":
        save_file(state, file)
    else:
        torch.save(state, file)
    return file


def settings_of(architecture: str, tag: str) -> str:
    """All that open_clip's table says of a tag, but where its weights are."""
    entry = open_clip.get_pretrained_cfg(architecture, tag)
    return json.dumps({k: v for k, v in entry.items() if k not in ("url", "hf_hub")})


def representatives(architectures: list[str]) -> list[str]:
    """The first architecture of each kind: those that differ in more than sizes, or in settings."""
    sizes = {"embed_dim", "image_size", "patch_size", "mlp_ratio", "head_width", "heads", "width"}
    sizes |= {"layers", "vocab_size", "attn_pooler_heads", "timm_drop_path", "hf_tokenizer_name"}

    def kind(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {k: kind(v, k) for k, v in value.items() if k not in sizes}
        if key == "timm_model_name":
            return re.sub(r"[\d_]+|small|base|large|huge|giant(opt)?|gigantic|xx?large|so400m|tiny"
                          r"|enormous", "", value)  # fmt: skip
        if key == "hf_model_name":
            return _tower_kind(value)
        return type(value).__name__ if key == "context_length" else value

    first: dict[str, str] = {}
    for name in architectures:
        tags = open_clip.list_pretrained_tags_by_model(name)
        settings = sorted({settings_of(name, tag) for tag in tags})
        layers = open_clip.get_model_config(name)["vision_cfg"].get("layers")
        told = [kind(open_clip.get_model_config(name)), settings, type(layers).__name__]
        first.setdefault(json.dumps(told, sort_keys=True), name)
    return list(first.values())
