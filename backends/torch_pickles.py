"""Reads pickles without running anything: tensors as views of the file, all else as stand-ins.

`torch.save` writes a pickle that arranges tensors, in which trainers also store NumPy numbers, an
`argparse.Namespace`, paths, configurations, whole modules. None of these is imported or called
here. Names that build tensors are known; any other becomes an `Inert` stand-in that stores what
the file gives it, except standard library names that are not plain data (`exec`, `os.system`): a
file with one of these is refused.
"""

from __future__ import annotations

import pickle
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import IO, Any, ClassVar, NoReturn

import torch
from torch import Tensor

from idia_index.errors import RefusedError
from idia_index.support.text import shown

_STORAGES = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
    "ComplexFloatStorage": torch.complex64,
    "ComplexDoubleStorage": torch.complex128,
    "QInt8Storage": torch.int8,
    "QUInt8Storage": torch.uint8,
    "QInt32Storage": torch.int32,
    "UntypedStorage": torch.uint8,
}
# Standard library modules of plain data classes. Their stand-ins run nothing either.
_DATA_MODULES_NAMES = (
    "_codecs argparse array collections copyreg dataclasses datetime decimal enum "
    "fractions functools ipaddress logging numbers operator pathlib random re time types typing "
    "uuid zoneinfo"
)
_DATA_MODULES = frozenset(_DATA_MODULES_NAMES.split())
_DATA_BUILTINS_NAMES = (
    "bool bytearray bytes complex dict float frozenset getattr int list object range set slice "
    "str tuple type"
)
_DATA_BUILTINS = frozenset(_DATA_BUILTINS_NAMES.split())
# Protocol 2, which torch.save writes, uses Python 2 names.
_PYTHON_2 = {"__builtin__": "builtins", "copy_reg": "copyreg"}
_OLD_MODULES = frozenset({"commands", "popen2", "posixpath", "ntpath", "pip"})

Storage = Callable[[torch.dtype, str, int], Tensor]


class Inert:
    """Replaces a value of a class that is not loaded; stores what the file gives it.

    Attributes:
        name: full name of the class.
        state: the state that the file sets.
        items: the items that the file sets by key.
    """

    name: ClassVar[str] = ""
    state: Any
    items: dict[Any, Any]

    def __new__(cls, *_: Any, **__: Any) -> Inert:
        """Accepts any arguments and drops them."""
        made = super().__new__(cls)
        made.state, made.items = None, {}
        return made

    def __init__(self, *_: Any, **__: Any) -> None: ...

    def __setitem__(self, key: Any, value: Any) -> None:
        self.items[key] = value

    def append(self, value: Any) -> None:
        """Drops what a list-like class would keep."""

    def extend(self, values: Iterable[Any]) -> None:
        """Drops what a list-like class would keep."""

    add = append


@cache
def _inert_class(name: str) -> type[Inert]:
    return type("Inert", (Inert,), {"name": name})


class InertUnpickler(pickle._Unpickler):
    """Loads tensors and plain containers, and a stand-in for any other name.

    Uses the unpickler in Python: the one in C allocates a memo of whatever size a file claims.

    Args:
        stream: the pickle.
        path: the file it is in, for the messages.
        storage: reads a storage: dtype, key, count -> tensor [n].
    """

    stack: list[Any]
    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)

    def __init__(self, stream: IO[bytes], path: Path, storage: Storage) -> None:
        # Python 2 wrote strings as bytes.
        super().__init__(stream, encoding="latin1")
        self._path, self._storage = path, storage

    def find_class(self, module: str, name: str) -> Any:
        """What a name stands for in a tensor, or a stand-in; imports nothing."""
        module = _PYTHON_2.get(module, module)
        if module in ("torch", "torch.storage") and name in _STORAGES:
            return _STORAGES[name]
        if module == "torch" and isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        if (module, name) in _KNOWN:
            return _KNOWN[module, name]
        if not _is_data(module, name):
            self.refuse(f"{module}.{name}")
        return _inert_class(f"{module}.{name}")

    def refuse(self, name: str) -> NoReturn:
        """Raises RefusedError for a name that does not belong in a weights file."""
        raise RefusedError(
            f"{self._path}: holds {shown(name)}, which could run code; refused, nothing was run: "
            "save only the state_dict, preferably as safetensors"
        )

    def persistent_load(self, pid: Any) -> Any:
        """A storage as a tensor [n], or a stand-in for a module's class."""
        if pid[0] == "module":
            return pid[1]
        _, dtype, key, _, count, *view = pid
        if any(part is not None for part in view):
            raise ValueError("a storage that is a view of another")
        if not isinstance(dtype, torch.dtype) or type(count) is not int or count < 0:
            raise ValueError("a storage of unknown type")
        return self._storage(dtype, str(key), count)

    def load_build(self) -> None:
        """Sets a stand-in's state; refused on anything else, whose behaviour could change."""
        state = self.stack.pop()
        made = self.stack[-1]
        if isinstance(made, Inert):
            made.state = state
        # A state dict's versions, a parameter's attributes: not weights.
        elif not isinstance(made, (OrderedDict, Tensor)):
            raise ValueError(f"attributes set on a {type(made).__name__}")

    def load_bytearray8(self) -> None:
        """Refused: it would allocate whatever size the file claims."""
        raise ValueError("a bytearray in a pickle")

    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8


def _is_data(module: str, name: str) -> bool:
    root = module.partition(".")[0]
    if root == "builtins":
        return name in _DATA_BUILTINS
    python = root in sys.stdlib_module_names or root in _OLD_MODULES
    return root in _DATA_MODULES or not python


def _rebuild(storage: Tensor, offset: int, size: Any, stride: Any, *_: Any) -> Tensor:
    return storage.as_strided(tuple(size), tuple(stride), offset)


def _rebuild_untyped(storage: Tensor, offset: int, size: Any, stride: Any, *more: Any) -> Tensor:
    return storage.view(more[2]).as_strided(tuple(size), tuple(stride), offset)


def _rebuild_meta(dtype: torch.dtype, size: Any, stride: Any, *_: Any) -> Tensor:
    return torch.empty_strided(tuple(size), tuple(stride), dtype=dtype, device="meta")


def _first(value: Any, *_: Any) -> Any:
    return value


def _rebuild_typed(rebuild: Any, _: Any, arguments: Any, *__: Any) -> Any:
    if rebuild not in (_rebuild, _rebuild_untyped):
        raise ValueError("a tensor of a custom class")
    return rebuild(*arguments)


def _new(cls: Any, *_: Any) -> Any:
    if not (isinstance(cls, type) and issubclass(cls, Inert)):
        raise ValueError("an object of no class")
    return cls()


_KNOWN: Mapping[tuple[str, str], Any] = {
    ("torch._utils", "_rebuild_tensor"): _rebuild,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild,
    ("torch._utils", "_rebuild_tensor_v3"): _rebuild_untyped,
    ("torch._utils", "_rebuild_meta_tensor_no_storage"): _rebuild_meta,
    ("torch._utils", "_rebuild_parameter"): _first,
    ("torch._utils", "_rebuild_parameter_with_state"): _first,
    ("torch._tensor", "_rebuild_from_type_v2"): _rebuild_typed,
    ("torch", "Size"): tuple,
    ("collections", "OrderedDict"): OrderedDict,
    ("builtins", "set"): set,
    ("builtins", "frozenset"): frozenset,
    ("copyreg", "_reconstructor"): _new,
}
