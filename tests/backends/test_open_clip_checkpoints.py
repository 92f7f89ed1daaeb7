"""Checkpoints: every format gives open_clip's weights, hostile ones are refused."""

from __future__ import annotations

import hashlib
import importlib.util
import pickle
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("open_clip")
import open_clip_helper as helper  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

from idia_index.backends.open_clip import OpenClipBackend  # noqa: E402
from idia_index.backends.open_clip_folders import from_folder  # noqa: E402
from idia_index.backends.torch_archives import archive_root, read_archive  # noqa: E402
from idia_index.backends.torch_checkpoints import read_checkpoint  # noqa: E402
from idia_index.encode.backend import Backend  # noqa: E402
from idia_index.errors import InputError  # noqa: E402

State = dict[str, Any]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    helper.register_tiny(tmp_path_factory.mktemp("configs"))
    return helper.build(helper.config())


def _plain(state: State, path: Path, model: Any) -> Path:
    torch.save(state, path)
    return path


def _legacy(state: State, path: Path, model: Any) -> Path:
    torch.save(state, path, _use_new_zipfile_serialization=False)
    return path


def _trainer(state: State, path: Path, model: Any) -> Path:
    # As open_clip's trainer writes it, from a distributed run.
    wrapped = {f"module.{name}": value for name, value in state.items()}
    optimizer = {"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"lr": 1e-3}]}
    torch.save({"epoch": 7, "name": "run", "state_dict": wrapped, "optimizer": optimizer}, path)
    return path


def _compiled(state: State, path: Path, model: Any) -> Path:
    torch.save({"state_dict": {f"_orig_mod.{name}": v for name, v in state.items()}}, path)
    return path


def _safetensors(state: State, path: Path, model: Any) -> Path:
    save_file(state, path)
    return path


def _custom_text(state: State, path: Path, model: Any) -> Path:
    # As trained with --force-custom-text: the text tower under a name of its own.
    tops = ("token_emb", "positional", "transformer", "ln_final", "text_projection")
    named = {f"text.{n}" if n.startswith(tops) else n: v for n, v in state.items()}
    torch.save(named, path)
    return path


def _scale_as_list(state: State, path: Path, model: Any) -> Path:
    torch.save({**state, "logit_scale": state["logit_scale"].reshape(1)}, path)
    return path


def _archive(state: State, path: Path, model: Any) -> Path:
    inputs = {
        "encode_image": torch.zeros(1, 3, 32, 32),
        "encode_text": torch.zeros(1, 77, dtype=torch.int64),
    }
    torch.jit.trace_module(model, inputs, check_trace=False).save(str(path))
    return path


Save = Callable[[State, Path, Any], Path]
FORMATS = [_plain, _legacy, _trainer, _compiled, _safetensors, _custom_text, _scale_as_list]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("save", [*FORMATS, _archive])
@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_formats(save: Save, suffix: str, model: Any, tmp_path: Path) -> None:
    if suffix == ".safetensors" and save is not _safetensors:
        pytest.skip("the suffix says what it is")
    path = save(dict(model.state_dict()), tmp_path / f"weights{suffix}", model)
    backend = OpenClipBackend(model=f"{helper.TINY}/{path}")
    got = Backend(backend).encode_texts(helper.TEXTS)
    assert np.abs(got - helper.unit_texts(model, helper.TEXTS)).max() < 1e-5
    images = helper.pictures()
    expected = helper.unit_images(model, images, 32)
    assert np.abs(Backend(backend).encode_images(images) - expected).max() < 1e-5
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert backend.fingerprint.weights_sha256 == digest
    assert backend.model == f"{helper.TINY}/{path}"


def test_weights_in_half_precision_are_what_they_are(model: Any, tmp_path: Path) -> None:
    half = {name: value.half() for name, value in model.state_dict().items()}
    torch.save(half, tmp_path / "w.pt")
    other = helper.build(helper.config())
    other.load_state_dict(half)
    got = Backend(OpenClipBackend(model=f"{helper.TINY}/{tmp_path}/w.pt")).encode_texts(
        helper.TEXTS
    )
    assert np.abs(got - helper.unit_texts(other, helper.TEXTS)).max() < 1e-5


class _Bomb:
    """Unpickled carelessly, writes a file."""

    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, (f"open({str(self.proof)!r}, 'w').write('ran')",))


@pytest.mark.parametrize("how", ["torch", "legacy", "pickle", "nested", "renamed"])
def test_code_in_a_pickle_is_refused_and_not_run(how: str, model: Any, tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    path = tmp_path / ("w.safetensors" if how == "renamed" else "w.pt")
    state = dict(model.state_dict())
    if how == "pickle":
        path.write_bytes(pickle.dumps({"state_dict": _Bomb(proof)}))
    elif how == "nested":
        torch.save({"state_dict": state, "optimizer": {"x": [_Bomb(proof)]}}, path)
    else:
        torch.save(
            {**state, "x": _Bomb(proof)}, path, _use_new_zipfile_serialization=how != "legacy"
        )
    with pytest.raises(InputError) as caught:
        OpenClipBackend(model=f"{helper.TINY}/{path}")
    assert not proof.exists()
    line = str(caught.value)
    assert str(path) in line and "\n" not in line
    # Of these two the reader says no more than that they are no checkpoints.
    assert how in ("renamed", "pickle") or "exec" in line
    # The bomb is live: a careless load does run it.
    if how == "torch":
        torch.load(path, weights_only=False)
        assert proof.exists()


_STATEFUL = """
from typing import Tuple
import torch

class Stateful(torch.nn.Module):
    weight: torch.Tensor

    def __init__(self):
        super().__init__()
        self.weight = torch.zeros(3)
        self.training = False

    @torch.jit.export
    def __getstate__(self) -> Tuple[torch.Tensor, bool]:
        return (self.weight, self.training)

    @torch.jit.export
    def __setstate__(self, state: Tuple[torch.Tensor, bool]) -> None:
        self.weight = state[0] + 1
        self.training = state[1]
"""


@pytest.mark.filterwarnings("ignore")
def test_code_in_an_archive_is_not_run(tmp_path: Path) -> None:
    """A `__setstate__` in TorchScript runs on torch.jit.load; here nothing is compiled."""

    # A file of its own: TorchScript reads sources, and annotations that are no strings.
    (tmp_path / "stateful.py").write_text(_STATEFUL)
    spec = importlib.util.spec_from_file_location("stateful", tmp_path / "stateful.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    path = tmp_path / "a.pt"
    torch.jit.script(module.Stateful()).save(str(path))
    assert float(torch.jit.load(str(path)).weight[0]) == 1.0  # what is to be avoided
    assert archive_root(path) == "a"
    weights, activation = read_archive(path, "a")
    assert weights == {} and activation is None  # such a module is not a tree of weights


@pytest.mark.filterwarnings("ignore")
def test_an_archive_with_a_foreign_name_is_refused(model: Any, tmp_path: Path) -> None:
    import zipfile

    proof, path = tmp_path / "proof", tmp_path / "a.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/constants.pkl", b"")
        archive.writestr("a/data.pkl", pickle.dumps(_Bomb(proof)))
    with pytest.raises(InputError, match="exec, not a weight; refused"):
        OpenClipBackend(model=f"{helper.TINY}/{path}")
    assert not proof.exists()


@pytest.mark.parametrize("save", [_plain, _legacy, _safetensors, _archive])
@pytest.mark.filterwarnings("ignore")
def test_damaged_files_end_in_one_line(save: Save, model: Any, tmp_path: Path) -> None:
    whole = save(dict(model.state_dict()), tmp_path / "w.pt", model).read_bytes()
    path = tmp_path / "damaged.pt"
    for cut in (0, 1, 9, 100, len(whole) // 2, len(whole) - 30):
        path.write_bytes(whole[:cut])
        with pytest.raises(InputError) as caught:
            OpenClipBackend(model=f"{helper.TINY}/{path}")
        assert "damaged.pt" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.filterwarnings("ignore")
def test_flipped_bits_never_crash(model: Any, tmp_path: Path) -> None:
    """Headers of every format, bytes changed at random: read, or refused by an InputError."""
    small = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.ones(2)}
    random = np.random.default_rng(0)
    for save in (_plain, _legacy, _safetensors):
        whole = bytearray(save(small, tmp_path / "w.pt", None).read_bytes())
        for _ in range(150):
            changed = bytearray(whole)
            for place in random.integers(0, len(whole), 3):
                changed[place] = random.integers(0, 256)
            path = tmp_path / "flipped.pt"
            path.write_bytes(changed)
            try:
                read_checkpoint(path)
            except InputError as error:
                assert "flipped.pt" in str(error) and "\n" not in str(error)


def _without(state: State, name: str) -> State:
    return {key: value for key, value in state.items() if key != name}


def _with(state: State, name: str, value: Any) -> State:
    return {**state, name: value}


def _nan(state: State) -> State:
    broken = state["ln_final.weight"].clone()
    broken[3] = float("nan")
    return _with(state, "ln_final.weight", broken)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: _without(s, "ln_final.bias"), ["1 of", "missing", "'ln_final.bias'"]),
        (lambda s: _with(s, "extra", torch.ones(1)), ["1 unknown", "'extra'"]),
        (_nan, ["1 of", "NaN or infinite", "'ln_final.weight'", "1 of 32"]),
        (lambda s: _with(s, "ln_final.bias", torch.full((32,), float("inf"))), ["NaN or infinite"]),
        (
            lambda s: _with(s, "positional_embedding", torch.zeros(64, 32)),
            ["'positional_embedding'", "[64, 32] instead of [77, 32]"],
        ),
        (
            lambda s: _with(s, "visual.positional_embedding", torch.zeros(50, 32)),
            ["'visual.positional_embedding'", "[50, 32] instead of [17, 32]"],
        ),
        (
            # A view of huge size over one number: must be refused before it is touched.
            lambda s: _with(s, "ln_final.bias", torch.zeros(1).expand(1 << 40)),
            ["'ln_final.bias'", "another shape"],
        ),
        (lambda s: {"model": 3}, ["'model' is a int, not a tensor"]),
        (lambda s: {}, ["holds no named weights"]),
        (lambda s: [1, 2], ["holds no named weights"]),
    ],
)
def test_wrong_weights_each_their_line(
    change: Callable[[State], Any], words: list[str], model: Any, tmp_path: Path
) -> None:
    path = tmp_path / "w.pt"
    torch.save(change(dict(model.state_dict())), path)
    with pytest.raises(InputError) as caught:
        OpenClipBackend(model=f"{helper.TINY}/{path}")
    for word in [*words, str(path)]:
        assert word in str(caught.value)


def test_no_socket_is_opened_for_a_checkpoint(
    model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was asked for")

    torch.save(model.state_dict(), tmp_path / "w.pt")
    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    backend = OpenClipBackend(model=f"{helper.TINY}/{tmp_path}/w.pt")
    assert Backend(backend).encode_texts(["x"]).shape == (1, 16)
    with pytest.raises(InputError, match="not in the local cache"):
        OpenClipBackend(model=f"roberta-ViT-B-32/{tmp_path}/w.pt")


def test_weights_beside_those_that_are_taken_are_told(tmp_path: Path, model: Any) -> None:
    folder = helper.save_folder(tmp_path / "m", helper.config(), model)
    torch.save({}, folder / "optimizer.bin")
    assert not any("beside" in note for note in from_folder(folder).notes)
    torch.save({}, folder / "open_clip_pytorch_model.bin")
    assert from_folder(folder).notes[-1] == (
        "weights: open_clip_model.safetensors; not used: open_clip_pytorch_model.bin"
    )


def test_a_folder_in_place_of_a_checkpoint_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="'run' is a folder; name the checkpoint in it: ViT-B-32/"):
        OpenClipBackend(model="ViT-B-32/run", device="cpu")
