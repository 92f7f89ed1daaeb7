"""Pickles read without running anything: tensors as views of the file, all else as stand-ins.

`torch.save` writes a pickle that arranges tensors, and trainers put into it whatever they hold:
NumPy numbers, an `argparse.Namespace`, paths, configurations, whole modules. Nothing of that is
imported or called here. Names of tensors' parts are known; any other name becomes an `Inert`
stand-in that keeps what the file gives it, except names of Python's own library that are no plain
data (`exec`, `os.system`): a file with one of these is refused.
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
# Modules of Python's own library whose classes are plain data. Their stand-ins run nothing either.
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
# Protocol 2, which torch.save writes, has the names of Python 2.
_PYTHON_2 = {"__builtin__": "builtins", "copy_reg": "copyreg"}
_OLD_MODULES = frozenset({"commands", "popen2", "posixpath", "ntpath", "pip"})

Storage = Callable[[torch.dtype, str, int], Tensor]


class Inert:
    """Stands for a value of a class that is not loaded; keeps what the file gives it.

    Attributes:
        name: full name of the class.
        state: what the file sets as its state.
        items: what the file puts into it by key.
    """

    name: ClassVar[str] = ""
    state: Any
    items: dict[Any, Any]

    def __new__(cls, *_: Any, **__: Any) -> Inert:
        """Takes any arguments, and drops them."""
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
    """Knows tensors and plain containers, and makes a stand-in for any other name.

    The unpickler in Python: that in C takes memory for whatever place a file says its memo has.

    Args:
        stream: the pickle.
        path: the file it is in, for the messages.
        storage: gives the numbers of a storage: dtype, key, how many -> tensor [n].
    """

    stack: list[Any]
    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)

    def __init__(self, stream: IO[bytes], path: Path, storage: Storage) -> None:
        # Python 2 wrote texts as bytes.
        super().__init__(stream, encoding="latin1")
        self._path, self._storage = path, storage

    def find_class(self, module: str, name: str) -> Any:
        """The tensor's part of a name, or a stand-in; imports nothing."""
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
        """Raises InputError for a name that has no business in a file of weights."""
        raise RefusedError(
            f"{self._path}: holds {shown(name)}, which is no weight and could run code; refused, "
            "none of it was run: save the state_dict alone, best as safetensors"
        )

    def persistent_load(self, pid: Any) -> Any:
        """The numbers of a storage, float or other [n]; or a stand-in for a module's class."""
        if pid[0] == "module":
            return pid[1]
        _, dtype, key, _, count, *view = pid
        if any(part is not None for part in view):
            raise ValueError("a storage that is a view of another")
        if not isinstance(dtype, torch.dtype) or type(count) is not int or count < 0:
            raise ValueError("a storage of no known type")
        return self._storage(dtype, str(key), count)

    def load_build(self) -> None:
        """Gives a stand-in its state; anything else could be made to do something else by it."""
        state = self.stack.pop()
        made = self.stack[-1]
        if isinstance(made, Inert):
            made.state = state
        # A state dict's notes of versions, a parameter's attributes: no weights.
        elif not isinstance(made, (OrderedDict, Tensor)):
            raise ValueError(f"a {type(made).__name__} is given attributes")

    def load_bytearray8(self) -> None:
        """Would take any memory that the file names."""
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
        raise ValueError("a tensor of a class of its own")
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
