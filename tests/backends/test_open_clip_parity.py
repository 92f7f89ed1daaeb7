"""Embeddings against plain open_clip, on the real architectures with random weights."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("open_clip")
import open_clip_helper as helper  # noqa: E402
from open_clip.tokenizer import HFTokenizer  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

from idia_index.backends.open_clip import OpenClipBackend  # noqa: E402
from idia_index.encode.backend import Backend  # noqa: E402
from idia_index.errors import InputError  # noqa: E402

TOLERANCE = 1e-5
# Real sizes, each saved in another format; the formats are crossed with a small model elsewhere.
ARCHITECTURES = {
    "ViT-B-32": "state dict",
    "ViT-B-32-quickgelu": "safetensors",
    "RN50": "trainer",
}
# Half a minute; test_architectures.py has it small in width and depth.
if os.environ.get("IDIA_INDEX_ALL_ARCHITECTURES"):
    ARCHITECTURES["ViT-L-14"] = "state dict"


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_built_in_architectures(architecture: str, tmp_path: Path) -> None:
    model = helper.create(architecture)
    path = tmp_path / "weights"
    state = dict(model.state_dict())
    if ARCHITECTURES[architecture] == "safetensors":
        save_file(state, path)
    elif ARCHITECTURES[architecture] == "trainer":
        wrapped = {f"module.{name}": value for name, value in state.items()}
        torch.save({"epoch": 1, "state_dict": wrapped, "optimizer": {"state": {}}}, path)
    else:
        torch.save(state, path)
    quick = architecture.endswith("quickgelu")
    activation = "quick_gelu" if quick else "gelu"
    backend = OpenClipBackend(model=f"{architecture}/{path}", activation=activation)
    path.unlink()  # the large ones would fill the disk of a small machine
    texts = [*helper.TEXTS[:3], "a " * 75]  # the last fills the context
    images = helper.pictures(2)
    expected = helper.unit_texts(model, texts)
    assert backend.pack_refusal is None
    assert np.abs(Backend(backend).encode_texts(texts) - expected).max() < TOLERANCE
    expected = helper.unit_images(model, images, 224)
    assert np.abs(Backend(backend).encode_images(images) - expected).max() < TOLERANCE
    assert backend.fingerprint.dim == expected.shape[1]
    assert backend.fingerprint.activation == activation


def _hugging_face_tokenizer(folder: Path) -> HFTokenizer:
    """A small word tokenizer in the files of transformers."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = sorted({word for text in helper.TEXTS for word in text.split()})
    vocab = {t: i for i, t in enumerate(["<s>", "<pad>", "</s>", "<unk>", *words])}
    inner = Tokenizer(models.WordLevel(vocab, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    inner.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=inner,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
    ).save_pretrained(folder)
    return HFTokenizer(str(folder), context_length=16)


@pytest.fixture
def roberta(tmp_path: Path) -> tuple[Path, Any, HFTokenizer]:
    """A folder with a model whose text tower is Hugging Face's, the model and its tokenizer."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path / "roberta"
    tokenizer = _hugging_face_tokenizer(folder)
    transformers.RobertaConfig(
        vocab_size=64,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=20,
    ).save_pretrained(folder)
    text = {"hf_tokenizer_name": "roberta-base", "hf_pooler_type": "mean_pooler"}
    cfg = helper.config()
    cfg["text_cfg"] = {**text, "hf_model_name": "roberta-base", "context_length": 16}
    local = json.loads(json.dumps(cfg))
    local["text_cfg"]["hf_model_name"] = str(folder)
    model = helper.build(local)
    helper.save_folder(folder, cfg, model)
    return folder, model, tokenizer


def test_a_hugging_face_text_tower(roberta: tuple[Path, Any, HFTokenizer]) -> None:
    folder, model, tokenizer = roberta
    backend = OpenClipBackend(model=f"local-dir:{folder}")
    assert backend.text_tower is None and "HFTextEncoder" in str(backend.pack_refusal)
    expected = helper.unit_texts(model, helper.TEXTS, tokenizer)
    assert np.abs(Backend(backend).encode_texts(helper.TEXTS) - expected).max() < TOLERANCE
    assert backend.fingerprint.tokenizer.startswith("hf:")
    with pytest.raises(InputError, match=r"has 20 tokens, the model reads 16"):
        Backend(backend).encode_texts(["x " * 18])
    assert Backend(backend).encode_texts(["x " * 14]).shape == (1, 16)


def test_its_batches_are_padded_to_the_longest_only(
    roberta: tuple[Path, Any, HFTokenizer], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, *_ = roberta
    backend = OpenClipBackend(model=f"local-dir:{folder}")
    widths = []
    encode = backend.clip.encode_text
    monkeypatch.setattr(
        backend.clip,
        "encode_text",
        lambda ids, **kw: widths.append(ids.shape[1]) or encode(ids, **kw),
    )
    backend.embed_texts(["x", "a photo"])
    assert widths == [4]


def test_a_tower_that_sees_its_padding_gets_the_full_context(tmp_path: Path) -> None:
    """As SigLIP: not causal, read at the last place."""
    pytest.importorskip("transformers")
    tokenizer = _hugging_face_tokenizer(tmp_path / "siglip")
    cfg = helper.config(
        {
            "context_length": 16,
            "no_causal_mask": True,
            "pool_type": "last",
            "proj_bias": True,
            "hf_tokenizer_name": "somewhere/else",
            "tokenizer_kwargs": {"clean": "whitespace"},
        },
        custom_text=True,
        init_logit_bias=-10,
    )
    model = helper.build(cfg)
    folder = helper.save_folder(
        tmp_path / "siglip", cfg, model, mean=[0.5] * 3, std=[0.5] * 3, resize_mode="squash"
    )
    backend = OpenClipBackend(model=f"local-dir:{folder}")
    assert backend.text_tower is None
    expected = helper.unit_texts(model, helper.TEXTS, tokenizer)
    assert np.abs(Backend(backend).encode_texts(helper.TEXTS) - expected).max() < TOLERANCE
    assert '"resize_mode":"squash"' in backend.fingerprint.preprocessing
    with pytest.raises(InputError, match="tokens, the model reads 16"):
        Backend(backend).encode_texts(["x " * 15])


def test_coca(tmp_path: Path) -> None:
    """A class token at the end, whose embedding CoCa normalises unless told not to."""
    text = {"context_length": 76, "embed_cls": True, "output_tokens": True}
    cfg = helper.config(text, custom_text=True)
    cfg["vision_cfg"].update(attentional_pool=True, attn_pooler_heads=2, output_tokens=True)
    cfg["multimodal_cfg"] = {**cfg["text_cfg"], "attn_pooler_heads": 2}
    for key in ("embed_cls", "output_tokens"):
        del cfg["multimodal_cfg"][key]
    model = helper.build(cfg)
    backend = OpenClipBackend(model=f"local-dir:{helper.save_folder(tmp_path / 'c', cfg, model)}")
    assert backend.text_tower is None and "class token" in str(backend.pack_refusal)
    import open_clip

    tokenizer = open_clip.SimpleTokenizer(context_length=76)
    expected = helper.unit_texts(model, helper.TEXTS, tokenizer)
    assert np.abs(Backend(backend).encode_texts(helper.TEXTS) - expected).max() < TOLERANCE
    images = helper.pictures()
    expected = helper.unit_images(model, images, 32)
    assert np.abs(Backend(backend).encode_images(images) - expected).max() < TOLERANCE
    with pytest.raises(InputError, match="has 77 tokens, the model reads 76"):
        Backend(backend).encode_texts(["a " * 75])
