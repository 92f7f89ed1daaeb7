"""Reads PyTorch's files without running their code and without copying weights.

Three formats: the zip that `torch.save` writes, the stream of pickles that it wrote before 2020,
and TorchScript archives, as OpenAI published CLIP. `torch.jit.load` compiles the code in an
archive and runs its `__setstate__` methods, and TorchScript can open files. So an archive is read
as a zip of raw tensors and a pickle that arranges them.
"""

from __future__ import annotations

import io
import pickle
import struct
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, NoReturn

import torch
from torch import Tensor

from idia_index.backends.torch_mapped import MappedFile
from idia_index.backends.torch_pickles import Inert, InertUnpickler, Storage
from idia_index.errors import InputError, ModelError, RefusedError
from idia_index.support.text import printable, shown

# Entries of OpenAI's archives that are not weights: numbers, and the causal mask.
NOT_WEIGHTS = ("input_resolution", "context_length", "vocab_size", "attn_mask")
MAX_NAME = 1000
_ACTIVATIONS = {"QuickGELU": "quick_gelu", "GELU": "gelu"}
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_LOCAL_HEADER = 30


def archive_root(path: Path) -> str | None:
    """Name of the folder inside a TorchScript archive; None for any other file.

    Raises:
        ModelError: a zip that would unpack to more than its size.
    """
    return next(
        (name.split("/")[0] for name in _members(path) if name.endswith("/constants.pkl")), None
    )


def zip_root(path: Path) -> str | None:
    """Name of the folder inside a file of `torch.save`; None for any other file."""
    return next((name[:-9] for name in _members(path) if name.endswith("/data.pkl")), None)


def _members(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            check_members(archive, path)
            return archive.namelist()
    except InputError:
        raise
    # Not a zip, or a damaged one, for which zipfile raises many kinds of errors.
    except Exception:  # noqa: BLE001
        return []


def check_members(archive: zipfile.ZipFile, path: Path) -> None:
    """Checks that no member of a zip is compressed and that no two overlap.

    Raises:
        ModelError: it would unpack to more than the file's size.
    """
    # The source code in a TorchScript archive is compressed, but never read.
    members = [m for m in archive.infolist() if m.filename.split("/")[1:2] != ["code"]]
    packed = next((m.filename for m in members if m.compress_type != zipfile.ZIP_STORED), None)
    if packed is not None:
        raise RefusedError(
            f"{path}: {shown(packed)} in it is compressed, unlike in a PyTorch checkpoint; use an "
            "intact copy, or unpack it first if it is a zip of a checkpoint"
        )
    total, size = sum(member.file_size for member in members), path.stat().st_size
    if total > size:
        raise RefusedError(
            f"{path}: a zip of {size:,} bytes that would unpack to {total:,}; use an intact copy"
        )


def read_zip(path: Path, root: str, mapped: MappedFile) -> Any:
    """The content of a `torch.save` zip: tensors as views of `mapped`, containers, stand-ins.

    A damaged pickle may raise anything; names that could run code raise RefusedError.
    """
    with zipfile.ZipFile(path) as archive:
        order = f"{root}/byteorder"
        if order in archive.namelist() and _stored(archive, order).decode() != sys.byteorder:
            raise ValueError("the byte order of another processor")
        return InertUnpickler(
            io.BytesIO(_stored(archive, f"{root}/data.pkl")),
            path,
            _zip_storage(archive, root, mapped),
        ).load()


def read_archive(
    path: Path, root: str, mapped: MappedFile | None = None
) -> tuple[dict[str, Tensor], str | None]:
    """Weights of a TorchScript archive by name, and its activation if its classes name it.

    Args:
        path: the archive.
        root: its folder inside, from `archive_root`.
        mapped: the file, if already mapped.

    Returns:
        tensors by dotted name, and "quick_gelu", "gelu" or None.

    Raises:
        ModelError: the archive is damaged or holds something other than tensors.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            storage = _zip_storage(archive, root, mapped or MappedFile(path))
            data = io.BytesIO(_stored(archive, f"{root}/data.pkl"))
            unpickler = _ArchiveUnpickler(data, path, storage)
            module = unpickler.load()
        return _tensors(module), unpickler.activation
    except InputError:
        raise
    # A damaged pickle may raise anything; every error means the same here.
    except Exception as error:
        raise ModelError(
            f"{path}: damaged TorchScript archive ({printable(str(error)[:160])}); use an intact "
            "copy"
        ) from error


def read_legacy(path: Path, mapped: MappedFile) -> Any:
    """The content of a `torch.save` file from before 2020; raises as `read_zip`.

    The tensors' data follow the pickles, so the pickle is read twice: once to find their offsets,
    and once with them.
    """
    counts: dict[str, tuple[torch.dtype, int]] = {}

    def without_numbers(dtype: torch.dtype, key: str, count: int) -> Tensor:
        counts[key] = (dtype, count)
        return torch.empty(count, dtype=dtype, device="meta")

    with path.open("rb") as file:
        if InertUnpickler(file, path, without_numbers).load() != _LEGACY_MAGIC:
            raise ValueError("not written by torch.save")
        for _ in ("version of the protocol", "system"):
            InertUnpickler(file, path, without_numbers).load()
        start = file.tell()
        InertUnpickler(file, path, without_numbers).load()
        keys = InertUnpickler(file, path, without_numbers).load()
        places = _legacy_places(file, keys, counts, mapped.size)
        file.seek(start)
        return InertUnpickler(
            file,
            path,
            lambda dtype, key, count: mapped.tensor(dtype, places[key], count * dtype.itemsize),
        ).load()


def _legacy_places(
    file: BinaryIO, keys: Any, counts: Mapping[str, tuple[torch.dtype, int]], size: int
) -> dict[str, int]:
    """The offset of each storage's data, which follow a count of eight bytes."""
    places: dict[str, int] = {}
    offset = file.tell()
    for key in map(str, keys):
        dtype, count = counts[key]
        file.seek(offset)
        if struct.unpack("<q", file.read(8))[0] != count or offset + 8 > size:
            raise ValueError(f"storage {key} has another length")
        places[key] = offset + 8
        offset += 8 + count * dtype.itemsize
    return places


def _zip_storage(archive: zipfile.ZipFile, root: str, mapped: MappedFile) -> Storage:
    def storage(dtype: torch.dtype, key: str, count: int) -> Tensor:
        info = archive.getinfo(f"{root}/data/{key}")
        if info.file_size != count * dtype.itemsize:
            raise ValueError(f"tensor {key} has {info.file_size} bytes for {count} numbers")
        return mapped.tensor(dtype, _data_offset(mapped, info), info.file_size)

    return storage


def _data_offset(mapped: MappedFile, info: zipfile.ZipInfo) -> int:
    """The offset of a member's bytes, after a header of variable length."""
    head = mapped.tensor(torch.uint8, info.header_offset, _LOCAL_HEADER).numpy().tobytes()
    if head[:4] != b"PK\x03\x04":
        raise ValueError(f"{info.filename} has no header")
    name, extra = struct.unpack("<HH", head[26:])
    return int(info.header_offset + _LOCAL_HEADER + name + extra)


class _Module:
    """An inert stand-in for a TorchScript module: only its attributes."""

    attributes: dict[str, Any]

    def __setstate__(self, state: Any) -> None:
        self.attributes = state if isinstance(state, dict) else {}


class _ArchiveUnpickler(InertUnpickler):
    """Accepts tensors, ordered dictionaries and inert modules; refuses every other name."""

    dispatch: ClassVar[dict[int, Any]] = dict(InertUnpickler.dispatch)
    activation: str | None = None

    def find_class(self, module: str, name: str) -> Any:
        if module == "__torch__" or module.startswith("__torch__."):
            self.activation = _ACTIVATIONS.get(name, self.activation)
            return _Module
        known = {
            ("torch.jit._pickle", "restore_type_tag"): _untagged,
            ("torch.jit._pickle", "build_intlist"): _untagged,
        }
        if (module, name) in known:
            return known[module, name]
        found = super().find_class(module, name)
        if isinstance(found, type) and issubclass(found, Inert):
            self.refuse(f"{module}.{name}")
        return found

    def refuse(self, name: str) -> NoReturn:
        raise RefusedError(f"{self._path}: holds {shown(name)[1:-1]}, not a weight; refused")

    def load_build(self) -> None:
        """Sets a module's attributes; refused on anything else, whose behaviour could change."""
        state = self.stack.pop()
        module = self.stack[-1]
        if not isinstance(module, _Module):
            raise ValueError(f"attributes set on a {type(module).__name__}")
        module.__setstate__(state)

    dispatch[pickle.BUILD[0]] = load_build


def _stored(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is compressed")
    return archive.read(name)


def _untagged(value: Any, *_: Any) -> Any:
    return value


def _tensors(module: Any) -> dict[str, Tensor]:
    """Tensors of a module tree by dotted name; each module is visited once."""
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
            if isinstance(value, Tensor) and name not in NOT_WEIGHTS:
                found[f"{prefix}{name}"] = value
            waiting.append((f"{prefix}{name}.", value))
    return found
