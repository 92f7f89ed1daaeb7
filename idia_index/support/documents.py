"""Documents as trees of frozen dataclasses: to JSON, from JSON, and their JSON Schema.

The one place where a record becomes JSON or is read from it. A field is written under its own
name, or under the key that `named` gives it; every field is written, as null where it is None.
"""

from __future__ import annotations

import inspect
import json
import math
import os
import re
import types
from collections.abc import Hashable, Iterable, Iterator, KeysView, Mapping, Sequence
from dataclasses import MISSING, Field, field, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    TypeAlias,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

from idia_index.errors import InputError
from idia_index.support.files import read_regular
from idia_index.support.text import shown, shown_path

if TYPE_CHECKING:
    Json: TypeAlias = (
        "bool | int | float | str | list[Json] | tuple[Json, ...] | Mapping[str, Json] | None"
    )
else:

    class Json:
        """Any value that JSON can hold; as a type of its own, so that hints can be resolved."""


JsonObject: TypeAlias = "dict[str, Json]"

T = TypeVar("T")

SCHEMA = "https://json-schema.org/draft/2020-12/schema"
_KEY = "json key"
_ATTRIBUTE = re.compile(r"^ {4}([a-z_][\w, ]*): (.*(?:\n {8}.*)*)", re.MULTILINE)
_PLAIN: dict[object, str] = {
    bool: "boolean", int: "integer", float: "number", str: "string", Path: "string",
    type(None): "null",
}  # fmt: skip


def named(key: str, default: Any = MISSING) -> Any:
    """A field that JSON calls by another name than Python does."""
    return field(default=default, metadata={_KEY: key})


def _key(each: Field[Any]) -> str:
    return str(each.metadata.get(_KEY, each.name))


@cache
def _keys(kind: type) -> tuple[tuple[str, str], ...]:
    """The name of each field and its key."""
    return tuple((each.name, _key(each)) for each in fields(kind))


def to_json(value: object) -> Json:
    """A document, or a part of one, as `json.dumps` takes it.

    Raises:
        TypeError: something in it is neither a record nor plain data.
    """
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if is_dataclass(value) and not isinstance(value, type):
        return to_object(value)
    if isinstance(value, Mapping):
        return {str(key): to_json(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [to_json(each) for each in value]
    raise TypeError(f"{type(value).__name__} is no part of a document")


def to_object(document: object) -> JsonObject:
    """The same of a dataclass, as a dict."""
    assert is_dataclass(document) and not isinstance(document, type)
    return {key: to_json(getattr(document, name)) for name, key in _keys(type(document))}


@cache
def _hints(kind: Hashable) -> dict[str, Any]:
    return get_type_hints(kind)


def from_json(kind: type[T], data: object, where: str = "") -> T:
    """Reads what `to_json` wrote of a dataclass; keys that the class does not know are left aside.

    Args:
        kind: the dataclass.
        data: as `json.loads` gives it.
        where: the place of `data` in its document.

    Raises:
        KeyError: a field without a default is missing.
        ValueError: a value is of another type than its field.
    """
    if not isinstance(data, dict):
        raise ValueError(f"{where or 'the document'} is {shown(data)}, not an object")
    values = {}
    for name, key, hint, needed in _plan(cast("Hashable", kind)):
        if key in data:
            value = data[key]
            plain = type(value) is hint and hint is not float  # most of a large manifest
            values[name] = value if plain else _read(hint, value, f"{where}.{key}".lstrip("."))
        elif needed:
            raise KeyError(f"{where}.{key}".lstrip("."))
    return kind(**values)


@cache
def _plan(kind: Hashable) -> tuple[tuple[str, str, Any, bool], ...]:
    """Of each field of a dataclass: its name, key, hint, and whether it has no default."""
    hints = _hints(kind)
    return tuple(
        (each.name, _key(each), hints[each.name],
         each.default is MISSING and each.default_factory is MISSING)
        for each in fields(kind)  # type: ignore[arg-type]
    )  # fmt: skip


@cache
def _shape(kind: Hashable) -> tuple[Any, tuple[Any, ...], bool]:
    """A hint's origin and arguments, and whether it is a record."""
    return get_origin(kind), get_args(kind), is_dataclass(kind) and not _is_path(kind)


def read_record(kind: type[T], path: Path, most: int, what: str, remedy: str) -> T:
    """Reads a dataclass from a JSON file of at most `most` bytes.

    Raises:
        InputError: there is no such file, or it is not `what`; it says the `remedy`.
    """
    try:
        return from_json(kind, json.loads(read_regular(path, most)))
    except OSError as error:
        raise InputError(
            f"{shown_path(path)}: cannot be read ({error.strerror}); {remedy}"
        ) from error
    except (ValueError, KeyError, RecursionError) as error:
        raise InputError(
            f"{shown_path(path)}: not {what}, or damaged ({error}); {remedy}"
        ) from error


def _read(kind: Any, value: Any, where: str) -> Any:
    if kind in (str, int, float, bool):
        if type(value) is kind and (kind is not float or math.isfinite(value)):
            return value
        if kind is float and type(value) is int:
            return float(value)
        raise ValueError(f"{where} is {shown(value)}")
    origin, arguments, is_record = _shape(kind)
    if is_record:
        return from_json(cast("type[Any]", kind), value, where)
    if kind in (Json, Any):
        return value
    if origin in (Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        (one,) = _kinds(arguments) - {type(None)}
        return _read(one, value, where)
    if origin is Literal:
        if value in arguments:
            return value
    elif origin is tuple and isinstance(value, list):
        return _read_tuple(arguments, value, where)
    elif origin in (dict, Mapping) and isinstance(value, dict):
        return {key: _read(arguments[1], each, f"{where}.{key}") for key, each in value.items()}
    elif _is_path(kind) and isinstance(value, str):
        return Path(value)
    raise ValueError(f"{where} is {shown(value)}")


def _is_path(kind: Any) -> bool:
    # Python 3.10 takes tuple[str, ...] for a class.
    return isinstance(kind, type) and not get_args(kind) and issubclass(kind, os.PathLike)


def _kinds(arguments: Iterable[Any]) -> KeysView[Any]:
    """The kinds of a union, in order; whatever stands for a path is one, as it is in a document."""
    return dict.fromkeys(Path if _is_path(each) else each for each in arguments).keys()


def _read_tuple(arguments: tuple[Any, ...], value: list[Any], where: str) -> tuple[Any, ...]:
    if arguments[-1] is Ellipsis:
        alike = set(map(type, value)) == {arguments[0]}
        if alike and (arguments[0] is not float or all(map(math.isfinite, value))):
            return tuple(value)  # of numbers or texts, all of the right type
        arguments = arguments[:1] * len(value)
    if len(arguments) != len(value):
        raise ValueError(f"{where} has {len(value)} values, not {len(arguments)}")
    return tuple(
        _read(kind, each, f"{where}[{place}]")
        for place, (kind, each) in enumerate(zip(arguments, value, strict=True))
    )


def schema(kind: type) -> JsonObject:
    """The JSON Schema (draft 2020-12) of a document, with the docstrings as descriptions."""
    parts: JsonObject = {}
    whole = _object(kind, parts)
    return {
        "$schema": SCHEMA,
        "title": kind.__name__,
        **whole,
        "$defs": dict(sorted(parts.items())),
    }


def _object(kind: type, parts: JsonObject) -> JsonObject:
    hints, told = _hints(kind), _described(kind)
    properties: JsonObject = {}
    for each in fields(kind):
        said: JsonObject = {"description": told[each.name]} if each.name in told else {}
        properties[_key(each)] = {**said, **_schema(hints[each.name], parts)}
    return {
        "description": (kind.__doc__ or "").split("\n")[0],
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _schema(kind: Any, parts: JsonObject) -> JsonObject:
    origin, arguments = get_origin(kind), get_args(kind)
    if is_dataclass(kind):
        name = cast("type[Any]", kind).__name__
        if name not in parts:
            parts[name] = {}  # it may hold itself
            parts[name] = _object(cast("type[Any]", kind), parts)
        return {"$ref": f"#/$defs/{name}"}
    if kind in (Json, Any):
        return {}
    if origin in (Union, types.UnionType):
        first, *others = _kinds(arguments)
        if not others:
            return _schema(first, parts)
        return {"anyOf": [_schema(each, parts) for each in (first, *others)]}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is Sequence or (origin is tuple and arguments[-1] is Ellipsis):
        return {"type": "array", "items": _schema(arguments[0], parts)}
    if origin is tuple:
        items: list[Json] = [_schema(argument, parts) for argument in arguments]
        return {"type": "array", "prefixItems": items, "items": False, "minItems": len(items)}
    if origin in (dict, Mapping):
        return {"type": "object", "additionalProperties": _schema(arguments[1], parts)}
    return {"type": _PLAIN[kind]}


def number_places(kind: Any, place: str = "") -> Iterator[str]:
    """Where a document's numbers and truth values stand, by its type: keys with full stops between.

    `*` is any key of a mapping whose type does not list its keys; what is in lists has no place.
    """
    origin, arguments = get_origin(kind), get_args(kind)
    inside: dict[str, Any] = {}
    if is_dataclass(kind) and not _is_path(kind):
        hints = _hints(cast("Hashable", kind))
        inside = {_key(each): hints[each.name] for each in fields(kind)}
    elif origin in (dict, Mapping):
        inside = dict.fromkeys(get_args(arguments[0]) or ("*",), arguments[1])
    elif origin in (Union, types.UnionType):
        for each in arguments:
            yield from number_places(each, place)
    elif kind in (bool, int, float):
        yield place
    for key, each in inside.items():
        yield from number_places(each, f"{place}.{key}".lstrip("."))


def _described(kind: type) -> dict[str, str]:
    """What the docstrings of a dataclass and its bases say of each field, on one line."""
    told: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        # Python 3.13 and newer take the indentation off docstrings themselves.
        text = inspect.cleandoc(each.__doc__ or "").partition("Attributes:\n")[2]
        for names, description in _ATTRIBUTE.findall(text):
            for name in names.split(", "):
                told[name] = " ".join(description.split())
    return told
