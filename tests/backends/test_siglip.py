"""SigLIP folders, with transformers as the oracle: images, texts, tokenizer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("open_clip")
from PIL import Image  # noqa: E402
from transformers.models.siglip.image_processing_pil_siglip import (  # noqa: E402
    SiglipImageProcessorPil,
)

from idia_index.backends.open_clip import OpenClipBackend  # noqa: E402
from idia_index.encode.backend import Backend  # noqa: E402
from idia_index.errors import InputError  # noqa: E402

TEXTS = ["a photo of Jane Doe", "Jane Doe", "a photo of John Smith at the beach", "x"]
TOWER = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}


def _tokenizer(folder: Path, masks: bool) -> Any:
    """A word-level tokenizer, saved as a folder's own."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    words = sorted({word for text in TEXTS for word in text.lower().split()})
    vocabulary = {word: number for number, word in enumerate(["<pad>", "</s>", "<unk>", *words])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    names = ["input_ids", "attention_mask"] if masks else ["input_ids"]
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", eos_token="</s>", unk_token="<unk>",
        model_input_names=names,
    )  # fmt: skip
    tokenizer.save_pretrained(folder)
    return tokenizer


def _model(folder: Path, **saving: Any) -> Any:
    torch.manual_seed(0)
    config = transformers.SiglipConfig(
        text_config={**TOWER, "intermediate_size": 48, "vocab_size": 64,
                     "max_position_embeddings": 16, "projection_size": 32},
        vision_config={**TOWER, "intermediate_size": 64, "image_size": 32, "patch_size": 8},
    )  # fmt: skip
    model = transformers.SiglipModel(config).eval()
    with torch.no_grad():
        for value in model.parameters():
            value.add_(0.1 * torch.randn_like(value))
    model.save_pretrained(folder, **saving)
    return model


def _unit(output: Any) -> np.ndarray:
    rows = getattr(output, "pooler_output", output)
    return torch.nn.functional.normalize(rows, dim=-1).numpy()


@pytest.mark.parametrize("masks", [False, True])
@pytest.mark.parametrize("sharded", [False, True])
def test_embeddings_are_those_of_transformers(masks: bool, sharded: bool, tmp_path: Path) -> None:
    oracle = _model(tmp_path, **({"max_shard_size": "20KB"} if sharded else {}))
    assert (tmp_path / "model.safetensors").exists() != sharded
    tokenizer = _tokenizer(tmp_path, masks)
    processor = SiglipImageProcessorPil(size={"height": 32, "width": 32}, image_mean=[0.4] * 3)
    processor.save_pretrained(tmp_path)
    backend = OpenClipBackend(model=f"local-dir:{tmp_path}")
    assert backend.notes == () and backend.pack_refusal is not None
    random = np.random.default_rng(0)
    photos = [Image.fromarray(random.integers(0, 256, (h, w, 3), np.uint8))
              for h, w in ((64, 48), (32, 32), (20, 90))]  # fmt: skip
    pixels = torch.from_numpy(np.stack(processor(images=photos)["pixel_values"]))
    ids = tokenizer(TEXTS, padding="max_length", max_length=16, return_tensors="pt")
    with torch.inference_mode():
        images = _unit(oracle.get_image_features(pixel_values=pixels))
        texts = _unit(oracle.get_text_features(**ids))
    assert np.abs(Backend(backend).encode_images(photos) - images).max() < 1e-4
    assert np.abs(Backend(backend).encode_texts(TEXTS) - texts).max() < 1e-4


def test_texts_past_the_context_are_refused(tmp_path: Path) -> None:
    _model(tmp_path)
    _tokenizer(tmp_path, False)
    backend = OpenClipBackend(model=f"local-dir:{tmp_path}")
    assert any(note.startswith("assumed: mean") for note in backend.notes)
    with pytest.raises(InputError, match="has 17 tokens, the model reads 16"):
        Backend(backend).encode_texts(["x " * 17])


def test_what_is_missing_or_does_not_fit_is_named(tmp_path: Path) -> None:
    _model(tmp_path)
    spec = f"local-dir:{tmp_path}"
    with pytest.raises(InputError, match=r"has no tokenizer \(tokenizer\.json"):
        OpenClipBackend(model=spec)
    _tokenizer(tmp_path, False)
    path = tmp_path / "config.json"
    data = json.loads(path.read_text())
    for change, words in (
        ({"auto_map": {"AutoModel": "evil.M"}}, "would run its own code"),
        ({"text_config": {**data["text_config"], "num_hidden_layers": 10**6}}, "layers; refused"),
        ({"vision_config": {**data["vision_config"], "vision_use_head": False}}, "no pooling head"),
        (
            {"text_config": {**data["text_config"], "vocab_size": 3}},
            "another shape",
        ),
    ):
        path.write_text(json.dumps({**data, **change}))
        with pytest.raises(InputError, match=words):
            OpenClipBackend(model=spec)
    path.write_text(json.dumps(data))
    with pytest.raises(InputError, match="omit the option"):
        OpenClipBackend(model=spec, activation="gelu")
