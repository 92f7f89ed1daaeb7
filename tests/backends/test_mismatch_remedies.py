"""One input per cause of mismatched weights: the error names the fix."""

from __future__ import annotations

import errno
import gzip
import io
import os
import sys
import tarfile
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
open_clip = pytest.importorskip("open_clip")
import open_clip_helper as helper  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

from idia_index.backends.open_clip_sources import find_source  # noqa: E402
from idia_index.backends.torch_checkpoints import read_checkpoint  # noqa: E402
from idia_index.backends.torch_fit import check_fit  # noqa: E402
from idia_index.backends.weights_hash import weights_sha256  # noqa: E402
from idia_index.errors import InputError, MissingExtraError  # noqa: E402
from idia_index.plugins.specs import pytorch_spec  # noqa: E402

State = dict[str, Any]


@pytest.fixture(scope="module")
def model() -> Any:
    return helper.build(helper.config())


def _empty(name: str) -> State:
    """The names and shapes of a built-in architecture, over hardly any memory."""
    config = open_clip.get_model_config(name)
    with torch.device("meta"):
        made = open_clip.model.CLIP(**config)
    return {n: torch.zeros(()).expand(v.shape) for n, v in made.state_dict().items()}


def _rows(name: str, rows: int) -> Callable[[State], State]:
    return lambda s: {**s, name: torch.zeros(rows, s[name].shape[1])}


def _rename(old: str, new: str) -> Callable[[State], State]:
    return lambda s: {name.replace(old, new): value for name, value in s.items()}


CAUSES: dict[str, tuple[Callable[[State], State], str]] = {
    "adapter": (
        lambda s: {"base_model.model.visual.proj.lora_A.weight": torch.zeros(2, 2)},
        "holds a LoRA adapter (PEFT), not a model; merge it into its base model: PeftModel",
    ),
    "a model with an adapter in it": (
        lambda s: {**s, "visual.proj.lora_A.weight": torch.zeros(2, 2)},
        "merge_and_unload()",
    ),
    "an adapter by other code": (
        lambda s: {**s, "transformer.resblocks.0.attn.q_proj.w_lora_A": torch.zeros(2, 2)},
        "merge it into its base model with the code that made it",
    ),
    "a part of a DeepSpeed run": (
        lambda s: {"module": dict.fromkeys(s, torch.zeros(0))},
        "merge the shards with the zero_to_fp32.py beside them",
    ),
    "an optimizer's part": (
        lambda s: {"optimizer_state_dict": {"fp32_flat_groups": [torch.zeros(9)]}},
        "name the model's weights file",
    ),
    "FSDP's row": (
        lambda s: {"_fsdp_wrapped_module._flat_param": torch.zeros(9)},
        "save them again as a full state_dict",
    ),
    "MobileCLIP's own names": (
        lambda s: {"image_encoder.model.patch_embed.0.rbr_conv.0.conv.weight": torch.zeros(2)},
        "has the names of Apple's MobileCLIP, not open_clip's; name the published model",
    ),
    "EVA's own names": (
        lambda s: {**s, "visual.blocks.0.attn.q_proj.weight": torch.zeros(2)},
        "has the names of EVA-CLIP's own code, not open_clip's",
    ),
    "quantized to 8 bits": (
        lambda s: {**s, "visual.proj": s["visual.proj"].to(torch.int8)},
        "quantized weights are not supported; name the original weights file",
    ),
    "quantized by HQQ": (
        lambda s: {**s, "visual.W_q": torch.zeros(2)},
        "name the original weights file",
    ),
    "NumPy's arrays": (
        lambda s: {name: value.numpy() for name, value in s.items()},
        "is a NumPy array, not a tensor; save the model's state_dict",
    ),
    "transformers' names": (
        lambda s: {"text_model.embeddings.position_embedding.weight": torch.zeros(2, 2)},
        "put its config.json beside it and write local-dir:FOLDER",
    ),
    "image generator": (
        lambda s: {"cond_stage_model.transformer.x": torch.zeros(2)},
        "name the checkpoint of the CLIP model",
    ),
    "quantized": (
        lambda s: {**s, "visual.proj.qweight": torch.zeros(2)},
        "name the original weights file",
    ),
    "another image size": (
        _rows("visual.positional_embedding", 82),
        'images of 72 x 72: set "image_size": 72 in an open_clip_config.json',
    ),
    "another context": (
        _rows("positional_embedding", 248),
        'texts of 248 tokens: set "context_length": 248 in an open_clip_config.json',
    ),
    "another vocabulary": (
        _rows("token_embedding.weight", 50000),
        'a vocabulary of 50000: set "vocab_size": 50000 in an open_clip_config.json',
    ),
    "another architecture": (
        lambda s: _empty("ViT-S-32-alt"),
        "its shapes match ViT-S-32-alt: name the one it was trained as",
    ),
    "no architecture": (
        lambda s: {n: torch.zeros([d + 1 for d in v.shape]) for n, v in s.items()},
        "its shapes match no open_clip architecture",
    ),
    "no CLIP model": (
        lambda s: {"layer1.0.conv1.weight": torch.zeros(2, 2), "fc.bias": torch.zeros(2)},
        "name the checkpoint of the CLIP model",
    ),
    "image tower alone": (
        lambda s: {n: v for n, v in s.items() if n.startswith("visual.")},
        "has only the image tower; name a checkpoint that has the text tower too",
    ),
    "text tower alone": (
        lambda s: {n: v for n, v in s.items() if not n.startswith("visual.")},
        "has only the text tower; name a checkpoint that has the image tower too",
    ),
    "not whole": (
        lambda s: {n: v for n, v in s.items() if n != "ln_final.bias"},
        "the file is incomplete; use an intact copy",
    ),
    "more than the architecture": (
        lambda s: {**s, "positional_embedding_res": torch.zeros(2)},
        "it has more parts; name the architecture that has them",
    ),
}


@pytest.mark.parametrize("cause", list(CAUSES))
def test_the_remedy_of_a_cause(cause: str, model: Any, tmp_path: Path) -> None:
    change, words = CAUSES[cause]
    path = tmp_path / "w.pt"
    torch.save(change(dict(model.state_dict())), path)
    with pytest.raises(InputError) as caught:
        check_fit(model, read_checkpoint(path), "tiny")
    line = str(caught.value)
    assert words in line and str(path) in line and "\n" not in line


def test_one_file_of_several(model: Any, tmp_path: Path) -> None:
    path = tmp_path / "model-00001-of-00002.safetensors"
    save_file({"visual.proj": torch.zeros(2, 2)}, path)
    for index, words in ((False, "download all of them"), (True, "name the index of all of them")):
        if index:
            (tmp_path / "model.safetensors.index.json").write_text("{}")
        with pytest.raises(InputError, match=words):
            check_fit(model, read_checkpoint(path), "tiny")


def test_a_configuration_of_another_model_beside_the_weights(model: Any, tmp_path: Path) -> None:
    state = {**model.state_dict(), "token_embedding.weight": torch.zeros(50, 32)}
    save_file(state, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match=r"config\.json beside it describes another model"):
        check_fit(model, read_checkpoint(tmp_path / "model.safetensors"), "tiny")


def test_an_onnx_graph_is_no_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"\x08\x07\x12\x04")
    with pytest.raises(InputError, match="an ONNX graph; name the PyTorch or safetensors file"):
        read_checkpoint(tmp_path / "m.onnx")


NO_CHECKPOINTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty": (lambda p: p.touch(), "is empty; download or save it again"),
    "LFS": (lambda p: p.write_text("version https://git-lfs.github.com/spec/v1\n"), "git lfs pull"),
    "page": (lambda p: p.write_text("<!DOCTYPE html><html>"), "download the file itself"),
    "gzip": (lambda p: p.write_bytes(gzip.compress(b"x" * 99)), "unpack it first"),
    "GGUF": (
        lambda p: p.write_bytes(b"GGUF" + b"\0" * 99),
        "name the model's PyTorch or safetensors",
    ),
    "HDF5": (lambda p: p.write_bytes(b"\x89HDF\r\n" + b"\0" * 99), "convert the model"),
    "plain pickle": (lambda p: p.write_bytes(b"\x80\x04}."), "save the model's state_dict with"),
    "NumPy": (lambda p: p.write_bytes(b"\x93NUMPY" + b"\0" * 99), "state_dict as safetensors"),
}


@pytest.mark.parametrize("what", list(NO_CHECKPOINTS))
@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_what_is_no_checkpoint(what: str, suffix: str, tmp_path: Path) -> None:
    make, words = NO_CHECKPOINTS[what]
    path = tmp_path / f"w.{suffix}"
    make(path)
    with pytest.raises(InputError) as caught:
        read_checkpoint(path)
    assert words in str(caught.value) and "\n" not in str(caught.value)


def _cut(path: Path, save: Callable[[State, Path], object]) -> None:
    save({"a": torch.ones(60, 60), "b": torch.ones(9, 9)}, path)
    path.write_bytes(path.read_bytes()[:9000])


def _legacy(state: State, path: Path) -> None:
    torch.save(state, path, _use_new_zipfile_serialization=False)


def _exported(path: Path) -> None:
    """The members of a program of torch.export, which are no checkpoint."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("m/models/model.json", "{}")
        archive.writestr("m/data/weights/weight_0", b"0" * 36)


def _scripted(path: Path, keep: int) -> None:
    scripted = torch.jit.trace(torch.nn.Linear(30, 30), torch.ones(1, 30))
    torch.jit.save(scripted, path)
    path.write_bytes(path.read_bytes()[:-keep])


DAMAGED: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "truncated safetensors": ("w.safetensors", lambda p: _cut(p, save_file), "an intact copy"),
    "truncated zip": ("w.pt", lambda p: _cut(p, torch.save), "is truncated: .*download it again"),
    "truncated, before 2020": ("w.pt", lambda p: _cut(p, _legacy), "use an intact copy"),
    "truncated TorchScript": (
        "w.pt",
        lambda p: _scripted(p, 300),
        "truncated: .*download it again",
    ),
    "torch.export": ("w.pt2", _exported, "save the model's state_dict with torch.save"),
    "a folder": ("w.pt", Path.mkdir, "Is a directory"),
    "gone": ("w.pt", lambda p: None, "No such file"),
}


@pytest.mark.parametrize("what", list(DAMAGED))
def test_files_that_are_not_whole(what: str, tmp_path: Path) -> None:
    name, make, words = DAMAGED[what]
    make(tmp_path / name)
    with pytest.raises(InputError, match=words) as caught:
        read_checkpoint(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_torchscript_archive_of_another_model(model: Any, tmp_path: Path) -> None:
    """It is read like every checkpoint, and judged by what it holds."""
    torch.jit.save(torch.jit.trace(torch.nn.Linear(3, 3), torch.ones(1, 3)), tmp_path / "w.pt")
    with pytest.raises(InputError, match="name the checkpoint of the CLIP model") as caught:
        check_fit(model, read_checkpoint(tmp_path / "w.pt"), "tiny")
    assert str(tmp_path / "w.pt") in str(caught.value)


def test_a_file_without_the_right_to_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "w.pt"
    torch.save({"w": torch.ones(3)}, path)
    path.chmod(0)
    if os.access(path, os.R_OK):  # root reads everything, so the system's answer is made here

        def refuse(opened: Any, file: Any, *arguments: Any, **options: Any) -> Any:
            if file == path:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
            return opened(file, *arguments, **options)

        for module in (io, os):  # `Path.open`, `os.open`
            monkeypatch.setattr(module, "open", partial(refuse, module.open))
    for read in (read_checkpoint, weights_sha256):
        with pytest.raises(
            InputError, match=r"Permission denied.*do not have permission.*chmod u\+r"
        ) as caught:
            read(path)
        assert str(path) in str(caught.value)


def test_a_package_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "siglip"}')
    monkeypatch.setitem(sys.modules, "transformers", None)
    spec = f"local-dir:{tmp_path}"
    with pytest.raises(MissingExtraError, match=r"'transformers', which is not installed: pip"):
        find_source(spec, pytorch_spec(spec), offline=True)


def test_archives_of_checkpoints(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(3)}, tmp_path / "w.pt")
    (tmp_path / "text").write_text("x")
    with tarfile.open(tmp_path / "w.tar.pt", "w") as tar:
        tar.add(tmp_path / "text", "w.pt")
    with pytest.raises(InputError, match="a tar archive; unpack it first"):
        read_checkpoint(tmp_path / "w.tar.pt")
    with zipfile.ZipFile(tmp_path / "w.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / "w.pt", "w.pt")
    with pytest.raises(InputError, match="unpack it first"):
        read_checkpoint(tmp_path / "w.zip")
