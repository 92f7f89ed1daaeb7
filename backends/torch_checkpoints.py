"""Checkpoint files -> weights of a model: nothing runs, nothing is guessed, nothing is silent."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from idia_index.backends.torch_archives import archive_root, read_archive
from idia_index.errors import ModelError, RefusedError
from idia_index.support.text import printable, shown

# Wrappers that trainers leave in the names: DistributedDataParallel, torch.compile.
_WRAPPERS = ("module.", "_orig_mod.")
_DTYPES = (
    torch.float16,
    torch.bfloat16,
    torch.float32,
    torch.float64,
    torch.int32,
    torch.int64,
    torch.uint8,
    torch.bool,
)
_CUSTOM_TEXT = (
    "text_projection",
    "positional_embedding",
    "token_embedding",
    "transformer.",
    "ln_final.",
)


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds.

    Attributes:
        path: the file.
        weights: tensors by name, wrappers' prefixes taken off.
        activation: "gelu" or "quick_gelu" where the file says what it was trained with.
    """

    path: Path
    weights: dict[str, Tensor]
    activation: str | None = None


def read_checkpoint(path: Path) -> Checkpoint:
    """Reads a checkpoint: safetensors, a state dict with or without its trainer's wrapping, or
    a TorchScript archive.

    No code in the file is run: pickles are read by PyTorch's `weights_only` loader, TorchScript
    archives by `idia_index.backends.torch_archives`.

    Raises:
        InputError: the file is damaged, holds something else, or would run code.
    """
    if path.suffix.lower() in (".npz", ".npy"):
        raise ModelError(f"{path}: NumPy checkpoints are not read; convert it to safetensors")
    if _is_safetensors(path):
        return Checkpoint(path, _unwrapped(_read_safetensors(path), path))
    root = archive_root(path)
    if root is not None:
        weights, activation = read_archive(path, root)
        return Checkpoint(path, _unwrapped(weights, path), activation)
    data = _read_pickle(path)
    if isinstance(data, Mapping) and isinstance(data.get("state_dict"), Mapping):
        data = data["state_dict"]
    return Checkpoint(path, _unwrapped(data, path))


def _is_safetensors(path: Path) -> bool:
    """By content: a length in eight bytes, then JSON."""
    try:
        with path.open("rb") as file:
            head = file.read(9)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror}); check the file") from error
    return path.suffix.lower() == ".safetensors" or head[8:] == b"{"


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    try:
        weights: dict[str, Tensor] = load_file(path)
    # SafetensorError, and what a damaged header does to the conversion after it.
    except Exception as error:
        raise ModelError(
            f"{path}: not a safetensors file that can be read ({_reason(error)}); "
            "take an intact copy"
        ) from error
    return weights


def _read_pickle(path: Path) -> Any:
    try:
        with warnings.catch_warnings():  # of pickle versions, which the error then names better
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    # Damaged files end in every kind of error; all of them are the file's.
    except Exception as error:
        named = re.search(r"GLOBAL (\S+)", str(error))
        if named and named[1] not in ("opcode", "was"):
            raise RefusedError(
                f"{path}: holds {shown(named[1])}, which is no weight and could run code; refused, "
                "none of it was run: save the state_dict alone, best as safetensors"
            ) from error
        raise ModelError(
            f"{path}: not a checkpoint that can be read ({_reason(error)}); take an intact copy"
        ) from error


def _reason(error: Exception) -> str:
    """The first line of an error, of PyTorch's long ones the part that says what was wrong."""
    inner = re.search(r"WeightsUnpickler error: ([^\n]+)", str(error))
    lines = [inner[1]] if inner else str(error).strip().splitlines()
    return printable((lines or [type(error).__name__])[0][:160])


def _unwrapped(data: object, path: Path) -> dict[str, Tensor]:
    """Checks that `data` is tensors by name, and takes trainers' prefixes off."""
    if not isinstance(data, Mapping) or not data:
        raise ModelError(f"{path}: holds no weights by name; save the model's state_dict")
    for name, value in data.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise ModelError(
                f"{path}: {shown(name)} is a {type(value).__name__}, not a tensor; save the "
                "model's state_dict"
            )
        if value.dtype not in _DTYPES or value.layout != torch.strided or value.is_meta:
            what = "without numbers" if value.is_meta else f"of {value.dtype}, {value.layout}"
            raise ModelError(
                f"{path}: {shown(name)} is a tensor {what}; save plain float32 or half precision"
            )
    weights: dict[str, Tensor] = dict(data)
    for prefix in _WRAPPERS:
        if all(name.startswith(prefix) for name in weights):
            weights = {name.removeprefix(prefix): value for name, value in weights.items()}
    return weights


def check_fit(
    model: nn.Module, checkpoint: Checkpoint, architecture: str
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Checks that a checkpoint fits a model by name and shape, to the last weight.

    Only differences of form are bridged: where a text tower's names start, a scale stored as
    one number or as a list of one, and counters that inference does not use. Weights are never
    resized, left out or filled in.

    Returns:
        the checkpoint's weights under the model's names, and the model's own.

    Raises:
        InputError: weights are missing, unknown or of another shape.
    """
    expected = model.state_dict()
    weights = _renamed(checkpoint.weights, expected)
    _check_names(weights, expected, checkpoint.path, architecture)
    _check_shapes(weights, expected, checkpoint.path, architecture)
    _check_held(weights, expected, checkpoint.path)
    return weights, expected


def load_weights(model: nn.Module, checkpoint: Checkpoint, architecture: str) -> None:
    """Copies a checkpoint into a model.

    Raises:
        InputError: weights are missing, unknown, of another shape, or not finite.
    """
    weights, expected = check_fit(model, checkpoint, architecture)
    _check_values(weights, checkpoint.path)
    with torch.no_grad():
        for name, target in expected.items():
            if name in weights:
                target.copy_(weights[name].reshape(target.shape))
            else:  # a counter of training steps, which inference does not read
                target.zero_()


def _renamed(weights: dict[str, Tensor], expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The names of the model: open_clip's text tower sits in `text.` or at the top."""
    custom = "text.positional_embedding" in expected
    if custom and "positional_embedding" in weights:
        weights = {
            f"text.{name}" if name.startswith(_CUSTOM_TEXT) else name: value
            for name, value in weights.items()
        }
    elif "positional_embedding" in expected and "text.positional_embedding" in weights:
        weights = {name.removeprefix("text."): value for name, value in weights.items()}
    # A constant 0, 1, 2, ... that older versions of transformers stored.
    return {
        name: value
        for name, value in weights.items()
        if name in expected or not name.endswith("embeddings.position_ids")
    }


def _check_names(
    weights: Mapping[str, Tensor], expected: Mapping[str, Tensor], path: Path, architecture: str
) -> None:
    missing = [
        name
        for name in expected
        if name not in weights and not name.endswith("num_batches_tracked")
    ]
    unknown = [name for name in weights if name not in expected]
    if not missing and not unknown:
        return
    found = []
    if missing:
        found.append(f"{len(missing)} of {len(expected)} missing, the first is {missing[0]!r}")
    if unknown:
        found.append(f"{len(unknown)} unknown, the first is {shown(unknown[0])}")
    raise ModelError(
        f"{path}: not the weights of {architecture}: {'; '.join(found)}; name the architecture "
        "that the file was trained with"
    )


def _check_shapes(
    weights: Mapping[str, Tensor], expected: Mapping[str, Tensor], path: Path, architecture: str
) -> None:
    def differs(name: str) -> bool:
        mine, its = weights[name].shape, expected[name].shape
        # A scale is one number, whether stored as [] or [1].
        return mine != its and not (mine.numel() == 1 == its.numel())

    wrong = [name for name in weights if differs(name)]
    if wrong:
        name = wrong[0]
        raise ModelError(
            f"{path}: not the weights of {architecture}: {len(wrong)} of {len(expected)} have "
            f"another shape, the first is {name!r} with {list(weights[name].shape)} instead of "
            f"{list(expected[name].shape)}; name the architecture that the file was trained with"
        )


def _check_held(weights: Mapping[str, Tensor], expected: Mapping[str, Tensor], path: Path) -> None:
    """Checks that numbers are what they should be, and that the file holds each of them.

    A view can be of any size over one number; a model of that size would take the memory.
    """
    for name, value in weights.items():
        if expected[name].is_floating_point() and not value.is_floating_point():
            raise ModelError(
                f"{path}: {name!r} is of {value.dtype}, no floating point numbers; save the "
                "weights as they were trained"
            )
    held = {value.untyped_storage().data_ptr(): value.untyped_storage().nbytes()
            for value in weights.values()}  # fmt: skip
    asked = sum(value.numel() * value.element_size() for value in weights.values())
    if asked > 2 * sum(held.values()):  # some share theirs
        raise RefusedError(
            f"{path}: its tensors are views of {asked:,} bytes over {sum(held.values()):,}; "
            "save them as they are, best as safetensors"
        )


def _check_values(weights: Mapping[str, Tensor], path: Path) -> None:
    broken = [
        name
        for name, value in weights.items()
        if value.is_floating_point() and not torch.isfinite(value).all()
    ]
    if broken:
        value = weights[broken[0]]
        count = int((~torch.isfinite(value)).sum())
        raise ModelError(
            f"{path}: {len(broken)} of {len(weights)} weights hold numbers that are not finite, "
            f"the first is {broken[0]!r} with {count} of {value.numel()}; take an intact copy"
        )
