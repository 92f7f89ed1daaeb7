"""Extracts one model's weights from a trainer's file, with notes of what was used.

A file may hold bare weights, weights under a key (`state_dict`, `model`) or several (raw weights
and their moving average), or a whole module, with wrappers' prefixes in the names
(DistributedDataParallel, torch.compile, FSDP, Lightning).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from idia_index.backends.torch_pickles import Inert
from idia_index.errors import ModelError
from idia_index.support.text import shown

WeightsChoice = Literal["raw", "ema"]
WEIGHTS_CHOICES: tuple[WeightsChoice, ...] = ("raw", "ema")

# Parts that wrappers add anywhere in a name.
_WRAPPERS = frozenset(
    {
        "module",
        "_orig_mod",
        "_forward_module",
        "_fsdp_wrapped_module",
        "_checkpoint_wrapped_module",
    }
)
# Prefixes that trainers put before all names.
_HOLDERS = ("model.", "clip.", "base_model.", "clip_model.", "net.", "network.", "backbone.")
# Keys of weights, in order of preference.
_USUAL = (
    "state_dict",
    "model_state_dict",
    "model",
    "module",
    "net",
    "network",
    "weights",
    "params",
    "clip",
    "clip_model",
    "student",
)
_AVERAGED = re.compile(r"(^|[._])(ema|shadow|averaged?|swa)([._\d]|$)", re.IGNORECASE)
_NO_WEIGHTS = re.compile(
    r"optim|sched|scaler|grad|loss|rng|discriminator|hyper|callback|queue", re.IGNORECASE
)
_MAX_DEPTH = 6
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


@dataclass(frozen=True)
class _Set:
    """A set of tensors in a file: the keys that lead to it, and its content."""

    keys: tuple[str, ...]
    content: Mapping[Any, Any]

    @property
    def name(self) -> str:
        return ".".join(self.keys)

    @property
    def averaged(self) -> bool:
        return is_averaged(self.name)

    @property
    def tensors(self) -> int:
        return sum(isinstance(value, Tensor) for value in self.content.values())

    @property
    def rank(self) -> tuple[int, int]:
        """The preference for a set; lower is better."""
        last = next((key for key in self.keys if key in _USUAL), "")
        return (_USUAL.index(last) if last else len(_USUAL), len(self.keys))


def is_averaged(name: str) -> bool:
    """Whether trainers use a key or prefix for a moving average of weights."""
    return any(_AVERAGED.search(part) for part in name.split("."))


@dataclass(frozen=True)
class Unwrapped:
    """Weights extracted from a file.

    Attributes:
        weights: tensors by name, without wrappers' prefixes.
        notes: what was used and what was not, one line each.
        averaged: whether they are a moving average.
        among_others: whether the file also holds the other kind of weights.
    """

    weights: dict[str, Tensor]
    notes: tuple[str, ...]
    averaged: bool
    among_others: bool


def unwrapped(data: object, path: Path, choice: WeightsChoice | None = None) -> Unwrapped:
    """The weights by name in a file's content.

    Args:
        data: the file's content.
        path: the file, for the messages.
        choice: "ema" for the moving average; otherwise the raw weights.

    Raises:
        ModelError: no weights, several indistinguishable sets, or not the requested ones.
    """
    sets = _sets(data)
    found = _chosen(sets, path, choice)
    averaged = found is not None and found.averaged
    return Unwrapped(
        without_wrappers(_tensors_of(found, data, path)),
        tuple(_taken(found, sets, path)),
        averaged,
        any(entry.averaged != averaged for entry in sets),
    )


def _sets(data: object) -> list[_Set]:
    found = list(_walk(data, ()))
    # A set that contains another one is the container of the weights.
    most = max((entry.tensors for entry in found), default=0)
    return [entry for entry in found if entry.tensors * 4 >= most]


def _walk(data: object, keys: tuple[str, ...]) -> Iterator[_Set]:
    content = _content(data)
    if content is None or len(keys) > _MAX_DEPTH:
        return
    if any(isinstance(value, Tensor) for value in content.values()):
        yield _Set(keys, content)
    for key, value in content.items():
        if isinstance(key, str) and not _NO_WEIGHTS.search(key) and not isinstance(value, Tensor):
            yield from _walk(value, (*keys, key))


def _content(data: object) -> Mapping[Any, Any] | None:
    """The named content of a container, a stand-in for one, or a whole module."""
    if isinstance(data, Mapping):
        return data
    if not isinstance(data, Inert):
        return None
    if isinstance(data.state, Mapping):
        if "_modules" in data.state and "_parameters" in data.state:
            return dict(_module_tensors(data, "", set()))
        return {**data.state, **data.items}
    return data.items or None


def _module_tensors(module: Inert, prefix: str, seen: set[int]) -> Iterator[tuple[str, Tensor]]:
    """Parameters and buffers of a pickled module, as its `state_dict` would have them."""
    if id(module) in seen or len(prefix) > 1000:
        return
    seen.add(id(module))
    passing = module.state.get("_non_persistent_buffers_set") or ()
    for part in ("_parameters", "_buffers"):
        for name, value in (module.state.get(part) or {}).items():
            if isinstance(value, Tensor) and not (part == "_buffers" and name in passing):
                yield f"{prefix}{name}", value
    for name, child in (module.state.get("_modules") or {}).items():
        if isinstance(child, Inert) and isinstance(child.state, Mapping):
            yield from _module_tensors(child, f"{prefix}{name}.", seen)


def _chosen(sets: list[_Set], path: Path, choice: WeightsChoice | None) -> _Set | None:
    averaged = [entry for entry in sets if entry.averaged]
    raw = [entry for entry in sets if not entry.averaged]
    if choice == "ema" and averaged:
        raw = averaged
    elif choice == "raw" and averaged and not raw:
        raise ModelError(
            f"{path}: holds only a moving average ({averaged[0].name}); use it with --weights ema"
        )
    candidates = sorted(raw or averaged, key=lambda entry: entry.rank)
    if not candidates:
        return None
    if len(candidates) > 1 and candidates[0].rank == candidates[1].rank:
        names = ", ".join(shown(entry.name) for entry in candidates[:4])
        raise ModelError(
            f"{path}: holds several sets of weights ({names}); save only the one to load"
        )
    return candidates[0]


def _taken(found: _Set | None, sets: list[_Set], path: Path) -> Iterator[str]:
    if found is None or not found.keys:
        return
    line = f"weights: {found.name} of {path.name}"
    others = [entry for entry in sets if entry is not found and entry.keys != found.keys]
    if others:
        line += f"; not used: {', '.join(shown(entry.name) for entry in others[:4])}"
        other = "raw" if found.averaged else "ema"
        if any(entry.averaged != found.averaged for entry in others):
            line += f" (--weights {other} uses it)"
    yield line


def _tensors_of(found: _Set | None, data: object, path: Path) -> dict[str, Tensor]:
    content = found.content if found is not None else data
    if found is None and isinstance(data, Mapping) and any("optim" in str(key) for key in data):
        raise ModelError(
            f"{path}: holds an optimizer's state, not weights; name the model's weights file"
        )
    if not isinstance(content, Mapping) or not content:
        raise ModelError(f"{path}: holds no named weights; save the model's state_dict")
    weights: dict[str, Tensor] = {}
    for name, value in content.items():
        if isinstance(value, Tensor) and isinstance(name, str):
            _check_plain(name, value, path)
            weights[name] = value
        # A version, a counter, a trainer's arguments stored with the weights.
        elif found is None or not (isinstance(name, str) and _is_note(value)):
            raise ModelError(_no_tensor(name, value, path))
    return weights


def _no_tensor(name: object, value: object, path: Path) -> str:
    if isinstance(value, Inert) and value.name.startswith("torch."):
        return (
            f"{path}: {shown(name)} is a tensor of a special class ({value.name}); save plain "
            "float32 or half precision"
        )
    what = value.name if isinstance(value, Inert) else type(value).__name__
    what = "NumPy array" if what.startswith("numpy.") else what
    return f"{path}: {shown(name)} is a {what}, not a tensor; save the model's state_dict"


def _is_note(value: object) -> bool:
    """Whether a value stored with the weights is certainly not one of them."""
    if isinstance(value, Inert):
        return not value.name.startswith("torch.")
    return not isinstance(value, Tensor)


def _check_plain(name: str, value: Tensor, path: Path) -> None:
    if value.itemsize == 1 and value.dtype not in _DTYPES:
        raise ModelError(
            f"{path}: {shown(name)} is a tensor of {value.dtype}: quantized weights are not "
            "supported; name the original weights file"
        )
    if value.dtype not in _DTYPES or value.layout != torch.strided or value.is_meta:
        what = "without data" if value.is_meta else f"of {value.dtype}, {value.layout}"
        raise ModelError(
            f"{path}: {shown(name)} is a tensor {what}; save plain float32 or half precision"
        )


def without_wrappers(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Names without the parts that wrappers add, as long as they stay distinct."""
    names = {name: ".".join(p for p in name.split(".") if p not in _WRAPPERS) for name in weights}
    if len(set(names.values())) < len(names) or not all(names.values()):
        names = {name: name for name in weights}
    while True:
        holder = next(
            (h for h in _HOLDERS if all(short.startswith(h) for short in names.values())), None
        )
        if holder is None:
            return {names[name]: value for name, value in weights.items()}
        names = {name: short.removeprefix(holder) for name, short in names.items()}
