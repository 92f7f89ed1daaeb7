"""An independent oracle: Hugging Face's CLIPModel with the same random weights."""

# ruff: noqa: E402 (what is optional is looked for before it is imported)
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
transformers = pytest.importorskip("transformers")
pytest.importorskip("open_clip")

import torch
from onnx_models import DIM, tiny_config, traced_once, write_model

from idia_index.backends.onnx import OnnxBackend
from idia_index.backends.onnx_export import export_model
from idia_index.backends.onnx_probe import TEXTS, probe_images
from idia_index.backends.open_clip import OpenClipBackend
from idia_index.encode.backend import Backend

WIDTH, HEADS, LAYERS = 32, 2, 2


def oracle(activation: str, weights: dict[str, Any]) -> Any:
    """A CLIPModel with the weights of an open_clip model."""
    common = {
        "hidden_size": WIDTH,
        "intermediate_size": 4 * WIDTH,
        "num_attention_heads": HEADS,
        "num_hidden_layers": LAYERS,
        "hidden_act": activation,
        "projection_dim": DIM,
        "layer_norm_eps": 1e-5,
    }
    config = transformers.CLIPConfig(
        text_config={
            **common,
            "vocab_size": 49408,
            "max_position_embeddings": 77,
            "bos_token_id": 49406,
            "eos_token_id": 49407,
        },
        vision_config={**common, "image_size": 32, "patch_size": 8},
        projection_dim=DIM,
    )
    model = transformers.CLIPModel(config).eval()
    for parameter in model.parameters():
        torch.nn.init.constant_(parameter, torch.nan)  # what is not replaced would show
    for theirs, ours in pairs(model.state_dict(), weights):
        theirs.copy_(ours)
    return model


DIRECT = {
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "ln_final.weight": "text_model.final_layer_norm.weight",
    "ln_final.bias": "text_model.final_layer_norm.bias",
    "logit_scale": "logit_scale",
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.ln_pre.weight": "vision_model.pre_layrnorm.weight",
    "visual.ln_pre.bias": "vision_model.pre_layrnorm.bias",
    "visual.ln_post.weight": "vision_model.post_layernorm.weight",
    "visual.ln_post.bias": "vision_model.post_layernorm.bias",
}
OF_A_BLOCK = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}


def pairs(theirs: dict[str, Any], ours: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    """Each weight of CLIPModel, and open_clip's of the same shape and meaning."""
    for own, other in DIRECT.items():
        yield theirs[other], ours[own]
    yield theirs["text_projection.weight"], ours["text_projection"].T
    yield theirs["visual_projection.weight"], ours["visual.proj"].T
    for tower, other in (("", "text_model"), ("visual.", "vision_model")):
        for i in range(LAYERS):
            block, layer = f"{tower}transformer.resblocks.{i}", f"{other}.encoder.layers.{i}"
            for part in ("weight", "bias"):
                for own, name in OF_A_BLOCK.items():
                    yield theirs[f"{layer}.{name}.{part}"], ours[f"{block}.{own}.{part}"]
                chunks = ours[f"{block}.attn.in_proj_{part}"].chunk(3)
                for x, chunk in zip("qkv", chunks, strict=True):
                    yield theirs[f"{layer}.self_attn.{x}_proj.{part}"], chunk


def rows(output: Any) -> Any:
    # Newer releases return an object that holds the projected embedding.
    found = output if isinstance(output, torch.Tensor) else output.pooler_output
    return torch.nn.functional.normalize(found, dim=-1).numpy()


@pytest.mark.parametrize("activation", ["gelu", "quick_gelu"])
@torch.inference_mode()
def test_both_backends_equal_transformers(
    activation: str, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    spec = write_model(tmp_path / "model", tiny_config(quick_gelu=activation == "quick_gelu"))
    theirs = oracle(activation, torch.load(tmp_path / "model" / "open_clip_pytorch_model.bin"))
    ours = OpenClipBackend(model=spec, device="cpu")
    with torch.inference_mode(False), traced_once(tmp_path_factory.getbasetemp()):
        export = OnnxBackend(model=str(export_model(ours, tmp_path / "out").folder), device="cpu")
    texts = [text for text in TEXTS if len(export.text_tower.tokenizer.encode([text])[0]) <= 75]
    ids = ours.tokenizer(texts)
    pixels = torch.from_numpy(export.manifest.preprocessing.pixels(probe_images()))
    text = rows(theirs.get_text_features(input_ids=ids, attention_mask=torch.ones_like(ids)))
    image = rows(theirs.get_image_features(pixel_values=pixels))
    for backend in (ours, export):
        np.testing.assert_allclose(Backend(backend).encode_texts(texts), text, atol=1e-5)
        np.testing.assert_allclose(Backend(backend).encode_images(probe_images()), image, atol=1e-5)
