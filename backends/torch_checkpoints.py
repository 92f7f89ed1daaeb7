"""Reads checkpoint files into weights by name: runs no code, guesses nothing, notes choices."""

from __future__ import annotations

import hashlib
import json
import struct
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from idia_index.backends.torch_archives import (
    archive_root,
    read_archive,
    read_legacy,
    read_zip,
    zip_root,
)
from idia_index.backends.torch_mapped import MappedFile
from idia_index.backends.torch_unwrap import WeightsChoice, unwrapped
from idia_index.backends.weights_hash import unreadable, weights_sha256
from idia_index.errors import InputError, ModelError, RefusedError
from idia_index.support.text import printable, shown

INDEX_SUFFIX = ".index.json"
MERGE_PARTS = (
    "merge its shards: python -m torch.distributed.checkpoint.format_utils dcp_to_torch "
    "FOLDER OUT.pt"
)
_MAX_INDEX = 1 << 26
_MAX_SHARDS = 10_000
_INTACT = "use an intact copy"


@dataclass(frozen=True)
class Checkpoint:
    """The content of a checkpoint file, or of the files of an index.

    Attributes:
        path: the file.
        weights: tensors by name, without wrappers' prefixes; views of the files.
        activation: "gelu" or "quick_gelu" if the file says what it was trained with.
        notes: what was used and what was not, one line each.
        files: the mapped files.
        averaged: whether the weights are a moving average.
        among_others: whether the file also holds the other kind of weights.
    """

    path: Path
    weights: dict[str, Tensor]
    activation: str | None = None
    notes: tuple[str, ...] = ()
    files: tuple[MappedFile, ...] = ()
    averaged: bool = False
    among_others: bool = False

    def release(self) -> None:
        """Frees the memory of what was read so far; see `MappedFile.release`."""
        for file in self.files:
            file.release()


def read_checkpoint(path: Path, choice: WeightsChoice | None = None) -> Checkpoint:
    """Reads a checkpoint: safetensors, a `torch.save` file with or without a trainer's wrapping,
    a TorchScript archive, or the index of a sharded checkpoint.

    No code in a file is run and no weight is copied: tensors are views of the mapped file.

    Args:
        path: the file.
        choice: "raw" or "ema", if a file holds weights and their moving average.

    Raises:
        ModelError: the file is damaged or not a checkpoint.
        RefusedError: it would run code.
    """
    if path.name.endswith(INDEX_SUFFIX):
        return _read_shards(path, choice)
    if path.suffix.lower() in (".npz", ".npy"):
        raise ModelError(f"{path}: NumPy checkpoints are not supported; convert it to safetensors")
    if path.suffix.lower() == ".distcp":
        raise ModelError(f"{path}: one shard of a checkpoint; {MERGE_PARTS}")
    if path.suffix.lower() == ".onnx":
        raise ModelError(
            f"{path}: an ONNX graph; name the PyTorch or safetensors file of the model, or the "
            "folder of an export of idia-index"
        )
    try:
        mapped = MappedFile(path)
    except OSError as error:
        raise unreadable(path, error) from error
    if path.suffix.lower() == ".safetensors" or mapped.begins(b"{", at=8):
        return _finished(path, _read_safetensors(path, mapped), mapped, choice)
    root = archive_root(path)
    if root is not None:
        weights, activation = read_archive(path, root, mapped)
        return replace(_finished(path, weights, mapped, choice), activation=activation)
    root = zip_root(path)
    data = (
        _whole(path, mapped, lambda: read_legacy(path, mapped))
        if root is None
        else _whole(path, mapped, lambda: read_zip(path, root, mapped))
    )
    return _finished(path, data, mapped, choice)


def checkpoint_sha256(path: Path) -> str:
    """SHA-256 of a checkpoint; if sharded, of the lines "SHA-256  NAME" of its files."""
    if not path.name.endswith(INDEX_SUFFIX):
        return weights_sha256(path)
    names = shard_names(path)
    lines = "".join(f"{weights_sha256(path.parent / name)}  {name}\n" for name in names)
    return hashlib.sha256(lines.encode()).hexdigest()


def shard_names(path: Path) -> list[str]:
    """The files named in a checkpoint's index; raises ModelError if one is missing."""
    names = sorted(set(_weight_map(path).values()))
    for shard in names:
        if not (path.parent / shard).is_file():
            raise ModelError(
                f"{path}: names {shown(shard)}, which is missing; download all files of the model"
            )
    return names


def _finished(
    path: Path, data: object, mapped: MappedFile, choice: WeightsChoice | None
) -> Checkpoint:
    found = unwrapped(data, path, choice)
    return Checkpoint(
        path,
        found.weights,
        notes=found.notes,
        files=(mapped,),
        averaged=found.averaged,
        among_others=found.among_others,
    )


def _whole(path: Path, mapped: MappedFile, read: Callable[[], Any]) -> Any:
    try:
        return read()
    except InputError:
        raise
    # Damaged files may raise anything; every error is the file's fault.
    except Exception as error:
        raise ModelError(
            f"{path}: {what_it_is(path, mapped) or _unread('not a checkpoint', error)}"
        ) from error


def _unread(what: str, error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return f"{what} ({printable(lines[0][:160])}); {_INTACT}"


def _read_safetensors(path: Path, mapped: MappedFile) -> dict[str, Tensor]:
    """Tensors of a safetensors file, after its library has checked the header."""
    import torch
    from safetensors import safe_open

    try:
        with safe_open(path, framework="pt") as file:
            names = set(file.keys())
        (length,) = struct.unpack("<Q", mapped.head(8))
        header = json.loads(mapped.head(8 + length)[8:])
        weights = {}
        for name in names:
            start, stop = header[name]["data_offsets"]
            dtype = _SAFE_DTYPES.get(header[name]["dtype"])
            if dtype is None:
                raise ValueError(f"unsupported dtype {header[name]['dtype']}")
            values = mapped.tensor(getattr(torch, dtype), 8 + length + start, stop - start)
            weights[name] = values.reshape(header[name]["shape"])
    # SafetensorError, and whatever a damaged header causes in the conversion after it.
    except Exception as error:
        line = what_it_is(path, mapped) or _unread("not a safetensors file", error)
        raise ModelError(f"{path}: {line}") from error
    return weights


_SAFE_DTYPES: Mapping[str, str] = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": "bfloat16",
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U8": "uint8",
    "BOOL": "bool",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "C64": "complex64",
}


def _read_shards(path: Path, choice: WeightsChoice | None) -> Checkpoint:
    """The weights of all files of an index, each from the file that it names."""
    weights: dict[str, Tensor] = {}
    files: list[MappedFile] = []
    for shard in shard_names(path):
        part = read_checkpoint(path.parent / shard, choice)
        again = next(iter(part.weights.keys() & weights.keys()), None)
        if again is not None:
            raise ModelError(f"{path}: {shown(again)} occurs in several of its files; {_INTACT}")
        weights.update(part.weights)
        files += part.files
    return Checkpoint(path, weights, files=tuple(files))


def _weight_map(path: Path) -> dict[str, str]:
    try:
        if path.stat().st_size > _MAX_INDEX:
            raise ValueError("too long")
        names = json.loads(path.read_text(encoding="utf-8"))["weight_map"]
        if not names or not all(isinstance(name, str) for name in names.values()):
            raise ValueError("it names no files")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(f"{path}: {_unread('not an index of weights', error)}") from error
    shards = set(names.values())
    odd = next((name for name in shards if Path(name).name != name or name in ("..", ".")), None)
    if odd is not None or len(shards) > _MAX_SHARDS:
        raise RefusedError(f"{path}: names {shown(odd)}, which is not a plain file name; refused")
    return dict(names)


_STARTS = (
    (
        b"version https://git-lfs",
        "a Git LFS pointer instead of the file; fetch it: git lfs pull",
    ),
    (b"GGUF", "a GGUF file, which is not supported; name the model's PyTorch or safetensors file"),
    (b"\x89HDF", "an HDF5 file of TensorFlow or Keras; convert the model to safetensors"),
    (b"\x1f\x8b", "compressed by gzip; unpack it first"),
    (b"BZh", "compressed by bzip2; unpack it first"),
    (b"\xfd7zXZ", "compressed by xz; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd; unpack it first"),
    (b"7z\xbc\xaf", "a 7z archive; unpack it first"),
    (b"Rar!", "a RAR archive; unpack it first"),
    (b"\x93NUMPY", "a NumPy array, not a checkpoint; save the model's state_dict as safetensors"),
    (b"<!DOCTYPE", "a web page instead of the file; download the file itself"),
    (b"<!doctype", "a web page instead of the file; download the file itself"),
    (b"<html", "a web page instead of the file; download the file itself"),
    (b"ustar", "a tar archive; unpack it first"),
)
_TAR_MAGIC = 257
_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # how old files of torch.save begin


def what_it_is(path: Path, mapped: MappedFile) -> str | None:
    """The kind of a file, by its first bytes, and the fix; None if they do not tell."""
    if mapped.size == 0:
        return "is empty; download or save it again"
    head = mapped.head(512)
    for start, line in _STARTS:
        at = _TAR_MAGIC if start == b"ustar" else 0
        if head[at:].startswith(start):
            return f"is {line}"
    if head.startswith(b"PK\x03\x04"):
        return _what_zip_it_is(path)
    pickled = head[:1] == b"\x80" and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")
    if pickled and not mapped.begins(_LEGACY):
        return (
            "is a plain pickle, not written by torch.save; save the model's state_dict with "
            "torch.save, or preferably as safetensors"
        )
    return None


def _what_zip_it_is(path: Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    # With a missing or damaged end, zipfile raises many kinds of errors.
    except Exception:  # noqa: BLE001
        return "is truncated: a ZIP archive without its end; download it again"
    if any(name.endswith("/data.pkl") for name in names):
        return None
    if any(name.endswith("/models/model.json") for name in names):
        return "is a torch.export program; save the model's state_dict with torch.save"
    return "is a ZIP archive that torch.save did not write; unpack it first"
