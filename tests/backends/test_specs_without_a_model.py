"""Folders and names without a usable model: the error names the fix."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
open_clip = pytest.importorskip("open_clip")
import open_clip_helper as helper  # noqa: E402

from idia_index.backends.open_clip_sources import find_source  # noqa: E402
from idia_index.errors import InputError  # noqa: E402
from idia_index.plugins.specs import pytorch_spec  # noqa: E402


def _folder(kind: str, folder: Path) -> None:
    folder.mkdir()
    if kind == "adapter":
        (folder / "adapter_config.json").write_text('{"peft_type": "LORA"}')
        (folder / "adapter_model.safetensors").touch()
    elif kind == "weights alone":
        (folder / "epoch_5.pt").touch()
    elif kind == "run":
        (folder / "checkpoints").mkdir()
        (folder / "checkpoints" / "epoch_5.pt").touch()
        (folder / "params.txt").write_text("lr: 0.001\nmodel: ViT-B-32\n")
    elif kind == "several models":
        for name in ("a", "b"):
            (folder / name).mkdir()
            (folder / name / "config.json").write_text("{}")
    elif kind == "NaFlex":
        (folder / "config.json").write_text('{"model_type": "siglip2"}')
    elif kind in ("quantized", "one tower", "MetaCLIP 2"):
        data = {
            "quantized": {"model_type": "clip", "quantization_config": {"bits": 4}},
            "one tower": {"model_type": "clip_vision_model"},
            "MetaCLIP 2": {"model_type": "metaclip_2"},
        }[kind]
        (folder / "config.json").write_text(json.dumps(data))
    elif kind == "DeepSpeed":
        (folder / "zero_to_fp32.py").touch()
    elif kind in ("bare configuration", "a word for a switch"):
        made = helper.config(quick_gelu="false")
        data = made if kind == "bare configuration" else {"model_cfg": made}
        (folder / "open_clip_config.json").write_text(json.dumps(data))
        (folder / "open_clip_model.safetensors").touch()
    elif kind == "parts alone":
        (folder / "__0_0.distcp").touch()
    elif kind == "a shard that is missing":
        config = {"model_cfg": helper.config(), "preprocess_cfg": {}}
        (folder / "open_clip_config.json").write_text(json.dumps(config))
        (folder / "m.safetensors.index.json").write_text('{"weight_map": {"a": "m-2-of-2.bin"}}')
    elif kind == "shards without index":
        (folder / "open_clip_config.json").write_text(
            json.dumps({"model_cfg": helper.config(), "preprocess_cfg": {}})
        )
        for number in (1, 2):
            (folder / f"x-0000{number}-of-00002.safetensors").touch()
    elif kind == "TensorFlow":
        (folder / "open_clip_config.json").write_text(
            json.dumps({"model_cfg": helper.config(), "preprocess_cfg": {}})
        )
        (folder / "tf_model.h5").touch()
    elif kind in ("Flax", "parts", "OpenVINO"):
        (folder / "config.json").write_text(
            '{"model_type": "clip", "text_config": {}, "vision_config": {}, "projection_dim": 8}'
        )
        (
            folder
            / {
                "Flax": "flax_model.msgpack",
                "parts": "__0_0.distcp",
                "OpenVINO": "openvino_model.bin",
            }[kind]
        ).touch()


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("adapter", "merge it into its base model"),
        ("weights alone", "write ARCH/"),
        ("run", "name one of its 1 checkpoints: ViT-B-32/"),
        ("several models", "several models (a, b); name the folder of one"),
        ("NaFlex", "use a SigLIP 2 model with a fixed size"),
        ("shards without index", "without its index; download"),
        ("a shard that is missing", "names 'm-2-of-2.bin', which is missing; download all"),
        ("parts alone", "dcp_to_torch FOLDER OUT.pt, and name the file: ARCH/OUT.pt"),
        (
            "TensorFlow",
            "use the model's PyTorch or safetensors file, or convert it",
        ),
        ("Flax", "from_pretrained(FOLDER, from_flax=True).save_pretrained(OUT)"),
        ("parts", "dcp_to_torch FOLDER OUT.pt"),
        ("OpenVINO", "only openvino_model.bin; use the model's PyTorch or safetensors file"),
        ("quantized", "quantized weights are not supported; name the folder of the"),
        ("one tower", "it is only one tower; name the folder of the whole model"),
        ("MetaCLIP 2", "use the same model from open_clip, ARCH/TAG"),
        ("DeepSpeed", "merge it with its zero_to_fp32.py"),
        ("bare configuration", "is a bare model_cfg; put it under that key"),
        ("a word for a switch", "quick_gelu is 'false'; write true or false"),
        ("empty", "name the folder of a model"),
    ],
)
def test_folders_without_a_model_that_is_read(kind: str, words: str, tmp_path: Path) -> None:
    folder = tmp_path / "f"
    _folder(kind, folder)
    spec = f"local-dir:{folder}"
    with pytest.raises(InputError) as caught:
        find_source(spec, pytorch_spec(spec), offline=True)
    assert words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("openai/clip-vit-base-patch32", "write hf-hub:openai/clip-vit-base-patch32"),
        ("hf-hub:acme/none", "not in the local cache"),
        ("ViT-B-32/laion2b_s34b_b79k", "not in the local cache"),
        ("ViT-B-33/laion2b_s34b_b79k", "similar: ViT-B-32"),
        ("ViT-B/32", "write ViT-B-32-quickgelu/openai for OpenAI's weights"),
        ("ViT-B-32-quickgelu/laion2b_s34b_b79k", "ViT-B-32 has it"),
    ],
)
def test_names_that_lead_nowhere(
    spec: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError) as caught:
        find_source(spec, pytorch_spec(spec), offline=True)
    assert words in str(caught.value)
