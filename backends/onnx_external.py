"""Checks which files an ONNX file reads its weights from, without the `onnx` package.

ONNX Runtime opens whatever path a tensor names, so the paths are checked first. Only the few
fields that lead to a tensor are parsed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from idia_index.errors import ModelError

MAX_GRAPH_BYTES = 1 << 31  # protobuf's own limit
MAX_DEPTH = 64

# Message -> field number -> the field's message type (onnx.proto).
_FIELDS = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def check_external_data(path: Path, allowed: Collection[str]) -> None:
    """Checks that an ONNX file reads weights only from itself or from `allowed` files beside it.

    Raises:
        ModelError: it names another file, or is not an ONNX file.
    """
    try:
        if path.stat().st_size > MAX_GRAPH_BYTES:
            raise ValueError(f"more than {MAX_GRAPH_BYTES:,} bytes")
        for location in _locations(memoryview(path.read_bytes()), "model", 0):
            if location not in allowed:
                raise ModelError(
                    f"{path}: reads weights from {location!r}, which is not a file of the export; "
                    "export the model again"
                )
    except (ValueError, IndexError, UnicodeDecodeError) as error:
        raise ModelError(f"{path}: not an ONNX file ({error}); export the model again") from error


def _locations(data: memoryview, message: str, depth: int) -> Iterator[str]:
    if depth > MAX_DEPTH:
        raise ValueError("nested too deeply")
    fields = _FIELDS[message]
    for number, payload in _messages(data):
        inner = fields.get(number)
        if inner == "entry":
            entry = {n: bytes(text).decode() for n, text in _messages(payload)}
            if entry.get(1) == "location":
                yield entry.get(2, "")
        elif inner is not None:
            yield from _locations(payload, inner, depth + 1)


def _messages(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and content of each length-delimited field; no other field holds a message."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == _VARINT:
            _, at = _varint(data, at)
        elif kind in (_FIXED64, _FIXED32):
            at += 8 if kind == _FIXED64 else 4
        elif kind == _BYTES:
            size, at = _varint(data, at)
            if at + size > len(data):
                raise ValueError("cut short")
            yield key >> 3, data[at : at + size]
            at += size
        else:
            raise ValueError(f"field of wire type {kind}")
    if at != len(data):
        raise ValueError("cut short")


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("number too long")
