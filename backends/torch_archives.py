"""Weights out of a TorchScript archive, without running any of the code in it.

OpenAI published CLIP as TorchScript archives. `torch.jit.load` compiles the code in such a
file and runs the `__setstate__` methods that it defines, and TorchScript can open files. So
the archive is read here as what it is, a zip of raw tensors and a pickle that arranges them,
with an unpickler that knows a handful of names and builds inert records.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from idia_index.errors import InputError, ModelError, RefusedError
from idia_index.support.text import printable, shown

# What OpenAI's archives carry beside weights: numbers, and the causal mask.
_NOT_WEIGHTS = ("input_resolution", "context_length", "vocab_size", "attn_mask")
_STORAGES = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "BoolStorage": torch.bool,
}
MAX_NAME = 1000
_ACTIVATIONS = {"QuickGELU": "quick_gelu", "GELU": "gelu"}


def archive_root(path: Path) -> str | None:
    """Name of the folder inside a TorchScript archive; None for any other file.

    Raises:
        InputError: a zip that would unpack to more than it is.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            check_members(archive, path)
    except InputError:
        raise
    # No zip, or a damaged one, which zipfile answers with errors of many kinds.
    except Exception:  # noqa: BLE001
        return None
    return next((name.split("/")[0] for name in names if name.endswith("/constants.pkl")), None)


def check_members(archive: zipfile.ZipFile, path: Path) -> None:
    """Checks that a zip holds what it says: nothing compressed, no byte for two members.

    Raises:
        InputError: it would unpack to more than the file has.
    """
    # The source code in a TorchScript archive is compressed; nobody reads it.
    members = [m for m in archive.infolist() if m.filename.split("/")[1:2] != ["code"]]
    packed = next((m.filename for m in members if m.compress_type != zipfile.ZIP_STORED), None)
    if packed is not None:
        raise RefusedError(
            f"{path}: {shown(packed)} in it is compressed, which no checkpoint of PyTorch is; "
            "take an intact copy"
        )
    total, size = sum(member.file_size for member in members), path.stat().st_size
    if total > size:
        raise RefusedError(
            f"{path}: a zip of {size:,} bytes that would unpack to {total:,}; take an intact copy"
        )


def read_archive(path: Path, root: str) -> tuple[dict[str, Tensor], str | None]:
    """Weights of a TorchScript archive by name, and its activation where its classes say it.

    Args:
        path: the archive.
        root: its folder inside, from `archive_root`.

    Returns:
        tensors by dotted name, and "quick_gelu", "gelu" or None.

    Raises:
        InputError: the archive is damaged or arranges something else than tensors.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            unpickler = _Unpickler(archive, root)
            module = unpickler.load()
        return _tensors(module), unpickler.activation
    except InputError:
        raise
    # A damaged pickle fails in as many ways as there are opcodes; each means the same here.
    except Exception as error:
        raise ModelError(
            f"{path}: a TorchScript archive that cannot be read "
            f"({printable(str(error)[:160])}); take an intact copy"
        ) from error


class _Module:
    """An inert stand-in for a TorchScript module: its attributes and nothing else."""

    attributes: dict[str, Any]

    def __setstate__(self, state: Any) -> None:
        self.attributes = state if isinstance(state, dict) else {}


class _Unpickler(pickle._Unpickler):
    """Knows tensors, ordered dictionaries and inert modules; refuses every other name.

    The one in Python: that in C takes memory for whatever place a file says its memo has.
    """

    stack: list[Any]
    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)

    def __init__(self, archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(io.BytesIO(_stored(archive, f"{root}/data.pkl")))
        self._archive, self._root = archive, root
        self._storages: dict[str, Tensor] = {}
        self.activation: str | None = None

    def find_class(self, module: str, name: str) -> Any:
        if module == "__torch__" or module.startswith("__torch__."):
            self.activation = _ACTIVATIONS.get(name, self.activation)
            return _Module
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        known = {
            ("torch._utils", "_rebuild_tensor_v2"): _rebuild,
            ("collections", "OrderedDict"): OrderedDict,
            ("torch.jit._pickle", "restore_type_tag"): _untagged,
            ("torch.jit._pickle", "build_intlist"): _untagged,
        }
        if (module, name) not in known:
            raise RefusedError(
                f"{self._archive.filename}: holds {shown(f'{module}.{name}')[1:-1]}, which is no "
                "weight; refused"
            )
        return known[module, name]

    def persistent_load(self, pid: Any) -> Tensor:
        _, dtype, key, _, numel = pid
        if key not in self._storages:
            data = _stored(self._archive, f"{self._root}/data/{key}")
            if len(data) != numel * dtype.itemsize:
                raise ValueError(f"tensor {key} has {len(data)} bytes for {numel} numbers")
            # bytearray: a tensor over read-only memory would be undefined behaviour to change.
            empty = torch.empty(0, dtype=dtype)
            self._storages[key] = torch.frombuffer(bytearray(data), dtype=dtype) if data else empty
        return self._storages[key]

    def load_build(self) -> None:
        """Gives a module its attributes; on anything else it could change what that does."""
        state = self.stack.pop()
        module = self.stack[-1]
        if not isinstance(module, _Module):
            raise ValueError(f"a {type(module).__name__} is given attributes")
        module.__setstate__(state)

    dispatch[pickle.BUILD[0]] = load_build


def _stored(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is compressed")
    return archive.read(name)


def _rebuild(storage: Tensor, offset: int, size: Any, stride: Any, *_: Any) -> Tensor:
    return storage.as_strided(tuple(size), tuple(stride), offset)


def _untagged(value: Any, *_: Any) -> Any:
    return value


def _tensors(module: Any) -> dict[str, Tensor]:
    """Tensors of a tree of modules by dotted name; each module is visited once."""
    found: dict[str, Tensor] = {}
    seen: set[int] = set()
    waiting = [("", module)]
    while waiting:
        prefix, current = waiting.pop()
        if len(prefix) > MAX_NAME:
            raise ValueError("modules nested too deeply")
        if not isinstance(current, _Module) or id(current) in seen:
            continue
        seen.add(id(current))
        for name, value in getattr(current, "attributes", {}).items():
            if isinstance(value, Tensor) and name not in _NOT_WEIGHTS:
                found[f"{prefix}{name}"] = value
            waiting.append((f"{prefix}{name}.", value))
    return found
