"""The inputs and outputs of the two graphs of an export, and the check that a graph has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from idia_index.encode.preprocessing import Preprocessing
from idia_index.errors import ModelError

IMAGE_INPUTS = ("pixels",)
TEXT_INPUTS = ("ids", "positions", "mask", "reads")
OUTPUT = "embeddings"


@dataclass(frozen=True)
class Port:
    """An input or output: its ONNX Runtime type, and its shape with None where any size goes."""

    type: str
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        return f"{self.type}{['*' if size is None else size for size in self.shape]}"


@dataclass(frozen=True)
class GraphPorts:
    """Inputs and outputs of a graph, by name."""

    inputs: Mapping[str, Port]
    outputs: Mapping[str, Port]


def image_ports(preprocessing: Preprocessing, dim: int) -> GraphPorts:
    """What the image graph must have."""
    pixels = Port("tensor(float)", (None, 3, preprocessing.height, preprocessing.width))
    return GraphPorts(
        dict(zip(IMAGE_INPUTS, [pixels], strict=True)),
        {OUTPUT: Port("tensor(float)", (None, dim))},
    )


def text_ports(dim: int) -> GraphPorts:
    """What the text graph must have."""
    rows = Port("tensor(int64)", (None, None))
    mask = Port("tensor(bool)", (None, None, None))
    reads = Port("tensor(int64)", (None,))
    return GraphPorts(
        dict(zip(TEXT_INPUTS, [rows, rows, mask, reads], strict=True)),
        {OUTPUT: Port("tensor(float)", (None, dim))},
    )


def check_ports(session: Any, expected: GraphPorts, path: Path) -> None:
    """Checks a session's inputs and outputs.

    Raises:
        InputError: a name, a type or a fixed size is another.
    """
    for what, found, wanted in (
        ("inputs", session.get_inputs(), expected.inputs),
        ("outputs", session.get_outputs(), expected.outputs),
    ):
        ports = {port.name: _port(port) for port in found}
        if ports != dict(wanted):
            raise ModelError(
                f"{path}: {what} are {_shown(ports)}, expected {_shown(wanted)}; "
                "export the model again"
            )


def _port(port: Any) -> Port:
    return Port(port.type, tuple(s if isinstance(s, int) else None for s in port.shape))


def _shown(ports: Mapping[str, Port]) -> str:
    return ", ".join(f"{name} {port}" for name, port in ports.items()) or "none"
