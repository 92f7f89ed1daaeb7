"""Wrappers that trainers and hubs put around weights: each is read, runs no code, and is noted."""

from __future__ import annotations

import argparse
import collections
import datetime
import decimal
import enum
import functools
import json
import pathlib
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("open_clip")
import open_clip_helper as helper  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

from idia_index.backends.torch_checkpoints import checkpoint_sha256, read_checkpoint  # noqa: E402
from idia_index.backends.torch_fit import check_fit  # noqa: E402
from idia_index.errors import InputError  # noqa: E402

State = dict[str, Any]


class Config(dict):  # type: ignore[type-arg]
    """As EasyDict and OmegaConf: a container of a class of its own."""


class Phase(enum.Enum):
    TRAIN = 1


class Tower(torch.nn.Module):  # type: ignore[misc]
    """A whole module is pickled with its class, which the reader does not have."""

    def __init__(self, state: State) -> None:
        super().__init__()
        self.positional_embedding = torch.nn.Parameter(state["positional_embedding"])
        self.visual = torch.nn.Module()
        self.visual.proj = torch.nn.Parameter(state["visual.proj"])
        self.visual.register_buffer("mask", torch.ones(2), persistent=False)


STATE = {
    "positional_embedding": torch.arange(16.0).reshape(4, 4),
    "visual.proj": torch.arange(16.0).reshape(4, 4) / 7,
}
OTHER = {name: -value for name, value in STATE.items()}


def before(prefix: str, state: State = STATE) -> State:
    return {f"{prefix}{name}": value for name, value in state.items()}


AROUND: dict[str, Any] = {
    "bare": STATE,
    "state_dict": {"epoch": 3, "state_dict": STATE},
    "model_state_dict": {"model_state_dict": STATE, "optimizer_state_dict": {}, "loss": 0.3},
    "model": {"model": STATE, "epoch": 3},
    "module": {"module": STATE, "ds_config": {"zero": 1}},
    "net": {"net": STATE, "acc": 80.1},
    "nested": {"checkpoint": {"model": {"state_dict": STATE}}},
    "NumPy number": {"state_dict": STATE, "best": np.float64(0.7)},
    "NumPy array": {"state_dict": STATE, "curve": np.arange(3.0), "kind": np.dtype("int64")},
    "NumPy generator's state": {
        "state_dict": STATE,
        "np_rng": np.random.RandomState(0).get_state(),
    },
    "argparse.Namespace": {"state_dict": STATE, "args": argparse.Namespace(lr=1e-4)},
    "SimpleNamespace": {"state_dict": STATE, "args": types.SimpleNamespace(lr=1e-4)},
    "path": {"state_dict": STATE, "out": pathlib.PurePosixPath("/tmp/x")},
    "configuration": {"state_dict": STATE, "hyper_parameters": Config(lr=1, towers=Config(a=2))},
    "enum": {"state_dict": STATE, "phase": Phase.TRAIN},
    "dates and decimals": {
        "state_dict": STATE,
        "when": datetime.datetime(2024, 1, 1),
        "loss_value": decimal.Decimal("0.3"),
    },
    "defaultdict, deque, Counter": {
        "state_dict": collections.OrderedDict(STATE),
        "log": collections.defaultdict(list, a=[1]),
        "last": collections.deque([1, 2]),
        "count": collections.Counter("ab"),
    },
    "partial": {"state_dict": STATE, "norm": functools.partial(torch.nn.LayerNorm, eps=1e-6)},
    "sets and dtypes": {"state_dict": STATE, "tags": {1, 2}, "dtype": torch.float16},
    "Lightning": {
        "pytorch-lightning_version": "2.1",
        "state_dict": before("model."),
        "callbacks": {"ModelCheckpoint": {"best_model_score": torch.tensor(0.3)}},
        "hyper_parameters": {"lr": 1},
    },
    "optimizer with moments": {
        "model": STATE,
        "optimizer": {"state": {0: {"exp_avg": torch.ones(4, 4), "step": torch.tensor(1.0)}}},
    },
    "whole module": {"model": Tower(STATE)},
    "a bare whole module": Tower(STATE),
    "averaged model": before("module.") | {"n_averaged": torch.tensor(5)},
    "DDP": before("module."),
    "compiled DDP": before("_orig_mod.module."),
    "DDP of compiled": before("module._orig_mod."),
    "FSDP": before("_fsdp_wrapped_module."),
    "Lightning of compiled DDP": {"state_dict": before("model._orig_mod.module.")},
    "forward module of DeepSpeed": before("_forward_module.clip."),
    "wrappers within": {
        "positional_embedding": STATE["positional_embedding"],
        "visual._orig_mod.proj": STATE["visual.proj"],
    },
    "base model": before("base_model.model."),
    "FSDP with checkpointed layers": before("_fsdp_wrapped_module._checkpoint_wrapped_module."),
    "accelerate": {"model_0": STATE, "step": 3},
    "Composer": {"state": {"model": before("module."), "optimizers": {}}, "rng": []},
    "MMEngine": {"meta": {"epoch": 1}, "state_dict": STATE, "message_hub": {"log": 1}},
    "Parameters": {n: torch.nn.Parameter(v) for n, v in STATE.items()},
}


@pytest.mark.parametrize("how", list(AROUND))
@pytest.mark.parametrize("legacy", [False, True])
def test_weights_in_a_wrapper(how: str, legacy: bool, tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    torch.save(AROUND[how], path, _use_new_zipfile_serialization=not legacy)
    checkpoint = read_checkpoint(path)
    weights = {n: v for n, v in checkpoint.weights.items() if n != "n_averaged"}
    assert sorted(weights) == sorted(STATE)
    for name, value in STATE.items():
        assert torch.equal(weights[name], value)
    keyed = isinstance(AROUND[how], dict) and not all(
        isinstance(value, torch.Tensor) for value in AROUND[how].values()
    )
    assert bool(checkpoint.notes) == keyed  # what was taken is said


AVERAGES = {
    "model_ema": {"model": STATE, "model_ema": OTHER},
    "state_dict_ema": {"state_dict": STATE, "state_dict_ema": OTHER},
    "ema_state_dict": {"model_state_dict": STATE, "ema_state_dict": OTHER},
    "ema of a module": {"model": STATE, "ema": {"module": OTHER, "decay": 0.99}},
    "ema_model": {"net": STATE, "ema_model": before("module.", OTHER)},
    "swa": {"state_dict": STATE, "swa_model": OTHER},
    "shadow": {"state_dict": STATE, "ema": {"shadow": OTHER}},
    "wrapped": {"model": before("module."), "model_ema": before("module.", OTHER)},
}


@pytest.mark.parametrize("how", list(AVERAGES))
def test_raw_weights_or_their_average(how: str, tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    torch.save(AVERAGES[how], path)
    for choice, expected in ((None, STATE), ("raw", STATE), ("ema", OTHER)):
        checkpoint = read_checkpoint(path, choice)  # type: ignore[arg-type]
        for name, value in expected.items():
            assert torch.equal(checkpoint.weights[name], value)
        assert checkpoint.averaged == (choice == "ema") and checkpoint.among_others
        other = "raw" if choice == "ema" else "ema"
        assert f"--weights {other} uses it" in checkpoint.notes[0]


def test_a_lone_average_is_taken_and_told(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    torch.save({"model_ema": OTHER, "epoch": 1}, path)
    checkpoint = read_checkpoint(path)
    assert torch.equal(checkpoint.weights["visual.proj"], OTHER["visual.proj"])
    assert checkpoint.notes == ("weights: model_ema of w.pt",)
    with pytest.raises(InputError, match=r"holds only a moving average .*--weights ema"):
        read_checkpoint(path, "raw")


def test_sets_that_nothing_tells_apart_are_not_guessed(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    torch.save({"first": STATE, "second": OTHER}, path)
    with pytest.raises(InputError, match="several sets of weights \\('first', 'second'\\)"):
        read_checkpoint(path)


def _shards(folder: Path, suffix: str, save: Callable[[State, Path], None]) -> Path:
    names = {}
    for number, (name, value) in enumerate(STATE.items(), 1):
        file = f"m-0000{number}-of-00002{suffix}"
        save({name: value}, folder / file)
        names[name] = file
    index = folder / f"m{suffix}.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": names}))
    return index


@pytest.mark.parametrize(("suffix", "save"), [(".safetensors", save_file), (".bin", torch.save)])
def test_several_files_by_their_index(
    suffix: str, save: Callable[[State, Path], None], tmp_path: Path
) -> None:
    index = _shards(tmp_path, suffix, save)
    checkpoint = read_checkpoint(index)
    assert all(torch.equal(checkpoint.weights[name], value) for name, value in STATE.items())
    before_ = checkpoint_sha256(index)
    first = tmp_path / f"m-00001-of-00002{suffix}"
    save({"positional_embedding": OTHER["positional_embedding"]}, first)
    assert checkpoint_sha256(index) != before_
    first.unlink()
    with pytest.raises(InputError, match=r"m-00001-of-00002.*download all files"):
        read_checkpoint(index)


def test_an_index_cannot_point_elsewhere(tmp_path: Path) -> None:
    index = tmp_path / "m.safetensors.index.json"
    for name in ("../x.safetensors", "/etc/passwd", ".."):
        index.write_text(json.dumps({"weight_map": {"a": name}}))
        with pytest.raises(InputError, match="not a plain file name; refused"):
            read_checkpoint(index)


# --- prefixes and heads, which only a model's names tell ---


@pytest.fixture(scope="module")
def model() -> Any:
    return helper.build(helper.config())


def _fit(state: State, model: Any, tmp_path: Path, choice: Any = None) -> Any:
    path = tmp_path / "w.pt"
    torch.save(state, path)
    return check_fit(model, read_checkpoint(path, choice), "tiny", choice)


@pytest.mark.parametrize("prefix", ["encoder.", "my_clip.inner.", "m.module.", "clip_model.net."])
def test_any_one_prefix_is_taken_off(prefix: str, model: Any, tmp_path: Path) -> None:
    own = dict(model.state_dict())
    fitting = _fit(before(prefix, own), model, tmp_path)
    assert fitting.weights.keys() == own.keys()
    assert all(torch.equal(fitting.weights[name], own[name]) for name in own)


def test_the_numbers_that_openai_keeps_beside_weights_are_none(model: Any, tmp_path: Path) -> None:
    own = dict(model.state_dict())
    numbers = {"input_resolution": 32, "context_length": 77, "vocab_size": 49408}
    beside = {name: torch.tensor(value) for name, value in numbers.items()}
    fitting = _fit({**own, **beside, "attn_mask": torch.ones(77, 77)}, model, tmp_path)
    assert fitting.weights.keys() == own.keys()


@pytest.mark.parametrize(
    "head", ["classifier.weight", "head.0.bias", "fc.weight", "image_queue", "loss.logits.w"]
)
@pytest.mark.parametrize("prefix", ["", "clip_tower."])
def test_heads_beside_the_model_are_left_aside_and_told(
    head: str, prefix: str, model: Any, tmp_path: Path
) -> None:
    own = dict(model.state_dict())
    fitting = _fit({**before(prefix, own), head: torch.ones(3)}, model, tmp_path)
    assert fitting.weights.keys() == own.keys()
    assert "1 tensors outside the model not used" in fitting.notes[-1]


def test_what_is_in_a_tower_is_no_head(model: Any, tmp_path: Path) -> None:
    state = {**model.state_dict(), "visual.head.weight": torch.ones(3)}
    with pytest.raises(InputError, match=r"1 unknown, the first is 'visual.head.weight'"):
        _fit(state, model, tmp_path)


def test_two_models_under_prefixes(model: Any, tmp_path: Path) -> None:
    own = dict(model.state_dict())
    other = {name: -value for name, value in own.items()}
    both = {**before("online_model.", own), **before("ema_model.", other)}
    assert torch.equal(_fit(both, model, tmp_path).weights["visual.proj"], own["visual.proj"])
    taken = _fit(both, model, tmp_path, "ema")
    assert torch.equal(taken.weights["visual.proj"], other["visual.proj"]) and taken.averaged
    with pytest.raises(InputError, match=r"several models \('a.', 'b.'\)"):
        _fit({**before("a.", own), **before("b.", other)}, model, tmp_path)
    with pytest.raises(InputError, match="no key names a moving average"):
        _fit(own, model, tmp_path, "ema")


@pytest.mark.parametrize(
    ("raw", "averaged", "copy"),
    [
        ("model.", "ema_model.", None),
        ("", "ema_model.", None),
        ("model.", "ema.ema_model.", "ema.online_model."),  # as ema_pytorch saves both
    ],
)
def test_a_moving_average_beside_the_model_is_told_and_can_be_taken(
    raw: str, averaged: str, copy: str | None, model: Any, tmp_path: Path
) -> None:
    own = dict(model.state_dict())
    other = {name: -value for name, value in own.items()}
    both = {**before(raw, own), **before(averaged, other)}
    if copy is not None:
        both |= before(copy, own)
    for choice in (None, "raw"):
        fitting = _fit(both, model, tmp_path, choice)
        assert torch.equal(fitting.weights["visual.proj"], own["visual.proj"])
        assert "(--weights ema uses the moving average)" in fitting.notes[-1]
        assert not fitting.averaged
    taken = _fit(both, model, tmp_path, "ema")
    assert torch.equal(taken.weights["visual.proj"], other["visual.proj"])
    assert taken.averaged and taken.among_others and "--weights" not in taken.notes[-1]
