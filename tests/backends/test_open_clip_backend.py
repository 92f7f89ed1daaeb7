"""The open_clip backend's own rules: activation, devices, precision, folders, missing parts."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
open_clip = pytest.importorskip("open_clip")
import open_clip_helper as helper  # noqa: E402

from idia_index.backends import open_clip_sources, torch_towers, weights_hash  # noqa: E402
from idia_index.backends.fingerprints import clip_bpe_string, preprocessing_string  # noqa: E402
from idia_index.backends.open_clip import OpenClipBackend  # noqa: E402
from idia_index.encode.backend import Backend  # noqa: E402
from idia_index.errors import InputError  # noqa: E402

Files = tuple[Path, Any]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """A tiny model's checkpoint, and the model."""
    folder = tmp_path_factory.mktemp("tiny")
    helper.register_tiny(folder)
    model = helper.build(helper.config())
    torch.save(model.state_dict(), folder / "w.pt")
    return folder / "w.pt", model


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("ViT-B-33/openai", "similar: ViT-B-32"),
        ("nothing-like-it/openai", "unknown to open_clip"),
        ("ViT-B-32/laion", "tags: openai, laion400m_e31"),
        ("ViT-B-32-quickgelu/laion2b_s34b_b79k", "ViT-B-32 has it"),
        ("hf-hub:nobody/nothing", "cannot get its files"),
        ("ViT-B-32/laion2b_s34b_b79k", "cannot get its files"),
        ("RN50-quickgelu/openai", "cannot get its files"),
    ],
)
@pytest.mark.parametrize("offline", [True, False])
def test_models_that_are_not_there(spec: str, words: str, offline: bool) -> None:
    with pytest.raises(InputError) as caught:
        OpenClipBackend(model=spec, offline=offline)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_an_export_is_for_the_other_backend(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").touch()
    with pytest.raises(InputError, match="use --backend onnx"):
        OpenClipBackend(model=str(tmp_path))


@pytest.mark.parametrize("tag", ["laion400m_e32", "openai", "metaclip_400m"])
def test_a_tag_under_the_wrong_activation_is_refused_before_any_download(tag: str) -> None:
    with pytest.raises(InputError) as caught:
        OpenClipBackend(model=f"ViT-B-32/{tag}")
    line = str(caught.value)
    assert "trained with QuickGELU, ViT-B-32 computes GELU" in line
    assert f"use ViT-B-32-quickgelu/{tag}" in line and "--allow-activation-mismatch" in line
    # Allowed, it goes on to the download, which there is no network for.
    with pytest.raises(InputError, match="cannot get its files"):
        OpenClipBackend(model=f"ViT-B-32/{tag}", allow_activation_mismatch=True)


def _table_with(monkeypatch: pytest.MonkeyPatch, **entry: Any) -> None:
    from idia_index.backends import open_clip_activations

    monkeypatch.setattr(open_clip_activations, "_table", lambda: iter([entry]))


@pytest.mark.parametrize("whole", [True, False])
def test_a_file_known_by_its_hash_must_have_its_activation(
    whole: bool, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, model = files
    sha256 = weights_hash.weights_sha256(path)
    url = f"https://x/{sha256}/v.pt" if whole else f"https://x/v-{sha256[:8]}.pt"
    _table_with(monkeypatch, url=url, quick_gelu=True)
    with pytest.raises(InputError, match=f"use {helper.TINY_QUICK}/{path}"):
        OpenClipBackend(model=f"{helper.TINY}/{path}")
    assert (
        OpenClipBackend(model=f"{helper.TINY_QUICK}/{path}").fingerprint.activation == "quick_gelu"
    )
    old = OpenClipBackend(model=f"{helper.TINY}/{path}", allow_activation_mismatch=True)
    assert old.fingerprint.activation == "gelu"
    expected = helper.unit_texts(model, helper.TEXTS)
    assert np.abs(Backend(old).encode_texts(helper.TEXTS) - expected).max() < 1e-5


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("quick", [True, False])
def test_an_archive_whose_classes_name_the_activation(
    quick: bool, files: Files, tmp_path: Path
) -> None:
    model = helper.build(helper.config(quick_gelu=quick))
    inputs = {"encode_text": torch.zeros(1, 77, dtype=torch.int64)}
    inputs["encode_image"] = torch.zeros(1, 3, 32, 32)
    torch.jit.trace_module(model, inputs, check_trace=False).save(str(tmp_path / "a.pt"))
    right, wrong = (helper.TINY_QUICK, helper.TINY) if quick else (helper.TINY, helper.TINY_QUICK)
    assert OpenClipBackend(model=f"{right}/{tmp_path}/a.pt").pack_refusal is None
    with pytest.raises(InputError, match="weights were trained with"):
        OpenClipBackend(model=f"{wrong}/{tmp_path}/a.pt")


def test_openai_files_are_known_by_name_of_their_hash() -> None:
    from idia_index.backends.open_clip_activations import activation_of_hash as known

    openai = "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af"
    assert known(openai) == "quick_gelu"  # ViT-B-32.pt
    assert known("46683a32" + "0" * 56) == "quick_gelu"  # vit_b_32 of laion400m_e32
    assert known("55e67d44" + "0" * 56) == "gelu"  # vit_b_16 of laion400m_e32
    assert known("0" * 64) is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dtype": "float8"}, "available: float32, float16, bfloat16"),
        ({"device": "abacus"}, "available: cuda, mps, cpu"),
        ({"device": "meta"}, "available: cuda, mps, cpu"),
        ({"device": "cuda:99"}, "does not work"),
        ({"device": "mps:0"}, "does not work"),
    ],
)
def test_devices_and_dtypes_that_are_not_there(
    options: dict[str, Any], words: str, files: Files
) -> None:
    with pytest.raises(InputError) as caught:
        OpenClipBackend(model=f"{helper.TINY}/{files[0]}", **options)
    assert words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_low_precision(dtype: str, files: Files) -> None:
    path, model = files
    backend = OpenClipBackend(model=f"{helper.TINY}/{path}", device="cpu", dtype=dtype)
    got = Backend(backend).encode_texts(helper.TEXTS)
    assert got.dtype == np.float32
    assert np.einsum("nd,nd->n", got, helper.unit_texts(model, helper.TEXTS)).min() > 0.999
    images = helper.pictures()
    got = Backend(backend).encode_images(images)
    assert np.einsum("nd,nd->n", got, helper.unit_images(model, images, 32)).min() > 0.999
    assert backend.fingerprint.precision == dtype
    exact = OpenClipBackend(model=f"{helper.TINY}/{path}").fingerprint
    assert exact.differences(backend.fingerprint) == []


def test_weights_past_the_range_of_float16(files: Files, tmp_path: Path) -> None:
    state = dict(files[1].state_dict())
    state["ln_final.weight"] = torch.full((32,), 1e6)
    torch.save(state, tmp_path / "w.pt")
    spec = f"{helper.TINY}/{tmp_path}/w.pt"
    OpenClipBackend(model=spec, dtype="bfloat16")
    with pytest.raises(InputError, match=r"'ln_final\.weight' is outside the range of float16"):
        OpenClipBackend(model=spec, dtype="float16")


def test_device_is_shown_and_the_self_test_computes(files: Files) -> None:
    backend = OpenClipBackend(model=f"{helper.TINY}/{files[0]}", device="cpu")
    assert backend.device.startswith("cpu (") and "thread" in backend.device
    assert "open_clip_torch" in OpenClipBackend.self_test()


def test_fingerprint(files: Files) -> None:
    mark = OpenClipBackend(model=f"{helper.TINY}/{files[0]}").fingerprint
    kind, sha256, clean, length = mark.tokenizer.split(":")
    assert (kind, clean, length, len(sha256)) == ("clip-bpe", "lower", "77", 64)
    data = json.loads(mark.preprocessing)
    assert data["size"] == [32, 32] and data["interpolation"] == "bicubic"
    assert mark.architecture == helper.TINY


def test_fingerprint_strings_do_not_depend_on_how_a_value_is_written() -> None:
    assert preprocessing_string({"size": 224}) == preprocessing_string(
        {"size": (224, 224), "mode": "RGB", "mean": None, "fill_color": 0, "other": 1}
    )
    assert preprocessing_string({"size": 224}) != preprocessing_string({"size": (224, 225)})
    one = clip_bpe_string([("a", "b</w>")], context_length=77)
    assert one == clip_bpe_string([["a", "b</w>"]], clean="lower", context_length=77)
    assert one != clip_bpe_string([("a", "b</w>")], context_length=24)


def test_text_past_the_context_is_refused(files: Files) -> None:
    backend = OpenClipBackend(model=f"{helper.TINY}/{files[0]}")
    assert Backend(backend).encode_texts(["a " * 75]).shape == (1, 16)
    for encode in (Backend(backend).encode_texts, backend.embed_texts):
        with pytest.raises(InputError, match="has 78 tokens, the model reads 77"):
            encode(["a " * 76])


def test_packs_that_disagree_are_not_used(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    path, model = files
    forward = torch_towers.PackedTextTower.forward
    monkeypatch.setattr(
        torch_towers.PackedTextTower,
        "forward",
        lambda self, ids, positions, mask, reads: forward(self, ids, positions + 1, mask, reads),
    )
    backend = OpenClipBackend(model=f"{helper.TINY}/{path}")
    assert backend.text_tower is None and "differ from encode_text's" in str(backend.pack_refusal)
    expected = helper.unit_texts(model, helper.TEXTS)
    assert np.abs(Backend(backend).encode_texts(helper.TEXTS) - expected).max() < 1e-5


def test_a_long_thin_image_does_not_fill_the_memory(files: Files) -> None:
    from PIL import Image

    backend = OpenClipBackend(model=f"{helper.TINY}/{files[0]}")
    with pytest.raises(InputError, match="100000 x 1 pixels is too elongated"):
        Backend(backend).encode_images([Image.new("RGB", (100_000, 1))])
    assert Backend(backend).encode_images([Image.new("RGB", (1, 1000))]).shape == (1, 16)


def test_no_images_and_images_of_any_mode(files: Files) -> None:
    from PIL import Image

    backend = OpenClipBackend(model=f"{helper.TINY}/{files[0]}")
    assert backend.embed_images([]).shape == (0, 16)
    modes = ("1", "L", "P", "RGB", "RGBA", "CMYK", "LA", "I;16", "I", "F", "HSV", "YCbCr", "LAB")
    for mode in modes:
        try:
            row = Backend(backend).encode_images([Image.new(mode, (50, 40))])
        except InputError as error:
            assert mode in str(error)
        else:
            assert row.shape == (1, 16)


Edit = Callable[[dict[str, Any]], None]


def _set(*keys: str, value: Any) -> Edit:
    def edit(data: dict[str, Any]) -> None:
        for key in keys[:-1]:
            data = data[key]
        data[keys[-1]] = value

    return edit


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda d: d.pop("model_cfg"), "has no model_cfg with"),
        (lambda d: d["model_cfg"].pop("text_cfg"), "vision_cfg and text_cfg"),
        (lambda d: d["model_cfg"].pop("embed_dim"), "with embed_dim"),
        (_set("model_cfg", "vision_cfg", value=3), "embed_dim, vision_cfg"),
        (_set("model_cfg", "vision_cfg", "layers", value=10**9), "1000000000 layers"),
        (_set("model_cfg", "vision_cfg", "width", value=10**7), "another shape"),
        (_set("model_cfg", "text_cfg", "vocab_size", value=10**12), "another shape"),
        (_set("model_cfg", "text_cfg", "width", value=-3), "cannot build"),
        (_set("model_cfg", "surprise", value=1), "cannot build"),
        (_set("model_cfg", "vision_cfg", "timm_model_name", value="hf-hub:a/b"), "refused"),
        (_set("model_cfg", "vision_cfg", "timm_model_name", value="no_such"), "cannot build"),
        (_set("model_cfg", "text_cfg", "hf_model_name", value="../../x"), "not in the local cache"),
        (
            _set("model_cfg", "text_cfg", "tokenizer_kwargs", value={"trust_remote_code": True}),
            "passes trust_remote_code to its tokenizer; refused",
        ),
        (
            _set("model_cfg", "text_cfg", "tokenizer_kwargs", value={"clean": "no"}),
            "clean='no'",
        ),
        (_set("preprocess_cfg", value=[1]), "is not an object"),
        (_set("preprocess_cfg", "std", value=[0, 1, 1]), "correct its preprocess_cfg"),
        (_set("preprocess_cfg", "mean", value="abc"), "correct its preprocess_cfg"),
        (_set("preprocess_cfg", "resize_mode", value="fold"), "resize mode 'fold'"),
    ],
)
def test_hostile_configurations(edit: Edit, words: str, tmp_path: Path) -> None:
    cfg = helper.config()
    folder = helper.save_folder(tmp_path / "m", cfg, helper.build(cfg))
    path = folder / "open_clip_config.json"
    data = json.loads(path.read_text())
    edit(data)
    path.write_text(json.dumps(data))
    with pytest.raises(InputError) as caught:
        OpenClipBackend(model=f"local-dir:{folder}")
    assert words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["", "{", "[1]", "[" * 100_000, "\udcff"])
def test_configurations_that_are_no_json(content: str, tmp_path: Path) -> None:
    cfg = helper.config()
    folder = helper.save_folder(tmp_path / "m", cfg, helper.build(cfg))
    path = folder / "open_clip_config.json"
    path.write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(InputError, match=r"open_clip_config\.json"):
        OpenClipBackend(model=f"local-dir:{folder}")


def test_remote_code_of_a_hugging_face_tower_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    proof = tmp_path / "proof"
    cfg = helper.config()
    folder = helper.save_folder(tmp_path / "m", cfg, helper.build(cfg))
    cfg["text_cfg"]["hf_model_name"] = "evil"
    data = {"model_cfg": cfg}
    (folder / "open_clip_config.json").write_text(json.dumps(data))
    auto = {"AutoConfig": "evil.C", "AutoModel": "evil.M"}
    (folder / "config.json").write_text(json.dumps({"model_type": "evil", "auto_map": auto}))
    (folder / "evil.py").write_text(f"open({str(proof)!r}, 'w').write('ran')")
    with pytest.raises(InputError, match="would run its own code"):
        OpenClipBackend(model=f"local-dir:{folder}")
    assert not proof.exists()


def test_a_vocabulary_smaller_than_the_tokenizers(tmp_path: Path) -> None:
    cfg = helper.config({"vocab_size": 1000})
    folder = helper.save_folder(tmp_path / "m", cfg, helper.build(cfg))
    with pytest.raises(InputError, match="has 1000 tokens, its tokenizer 49408"):
        OpenClipBackend(model=f"local-dir:{folder}")


def test_a_folder_with_several_weights_is_not_guessed(tmp_path: Path) -> None:
    cfg = helper.config()
    model = helper.build(cfg)
    helper.register_tiny(tmp_path)
    folder = helper.save_folder(tmp_path / "m", cfg, model)
    weights = folder / "open_clip_model.safetensors"
    weights.rename(folder / "one.safetensors")
    assert OpenClipBackend(model=f"local-dir:{folder}").fingerprint.architecture == helper.TINY
    (folder / "two.safetensors").write_bytes(b"x")
    with pytest.raises(InputError, match="2 weights files, none with a usual name"):
        OpenClipBackend(model=f"local-dir:{folder}")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"neither open_clip_config\.json nor"):
        OpenClipBackend(model=f"local-dir:{tmp_path}/empty")


def test_an_architecture_of_its_own_is_named_by_its_configuration(tmp_path: Path) -> None:
    cfg = helper.config({"mlp_ratio": 2.0})
    folder = helper.save_folder(tmp_path / "m", cfg, helper.build(cfg))
    name = OpenClipBackend(model=f"local-dir:{folder}").fingerprint.architecture
    assert name.startswith("config:") and name == open_clip_sources.architecture_name(cfg)


def test_without_torch_the_line_names_the_pip_command() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from idia_index.errors import MissingExtraError\n"
        "import idia_index.plugins.specs, idia_index.backends.fingerprints\n"
        "import idia_index.backends.weights_hash\n"
        "try:\n    import idia_index.backends.open_clip\n"
        "except MissingExtraError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # setuptools writes the name with hyphens or as setup.cfg has it, by its version.
    assert re.search("pip install 'open[-_]clip[-_]torch", done.stdout)
    assert "'torch'" in done.stdout
