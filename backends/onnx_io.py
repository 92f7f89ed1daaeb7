"""Checks the inputs and outputs of the two graphs of an export."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from idia_index.encode.preprocessing import Preprocessing
from idia_index.errors import ModelError

IMAGE_INPUTS = ("pixels",)
TEXT_INPUTS = ("ids", "positions", "mask", "reads")
OUTPUT = "embeddings"


Ports = Mapping[str, str]
"""Names of inputs or outputs, each with ONNX Runtime's type and sizes (`*` for any)."""


def image_ports(preprocessing: Preprocessing, dim: int) -> tuple[Ports, Ports]:
    """The required inputs and outputs of the image graph."""
    pixels = _port("tensor(float)", (None, 3, preprocessing.height, preprocessing.width))
    return dict(zip(IMAGE_INPUTS, [pixels], strict=True)), _output(dim)


def text_ports(dim: int) -> tuple[Ports, Ports]:
    """The required inputs and outputs of the text graph."""
    rows = _port("tensor(int64)", (None, None))
    mask = _port("tensor(bool)", (None, None, None))
    reads = _port("tensor(int64)", (None,))
    return dict(zip(TEXT_INPUTS, [rows, rows, mask, reads], strict=True)), _output(dim)


def check_ports(session: Any, expected: tuple[Ports, Ports], path: Path) -> None:
    """Checks a session's inputs and outputs.

    Raises:
        ModelError: a name, a type or a fixed size differs.
    """
    both = zip((session.get_inputs(), session.get_outputs()), expected, strict=True)
    for what, (found, wanted) in zip(("inputs", "outputs"), both, strict=True):
        ports = {port.name: _port(port.type, port.shape) for port in found}
        if ports != wanted:
            raise ModelError(
                f"{path}: {what} are {_shown(ports)}, expected {_shown(wanted)}; "
                "export the model again"
            )


def _output(dim: int) -> Ports:
    return {OUTPUT: _port("tensor(float)", (None, dim))}


def _port(kind: str, shape: Iterable[object]) -> str:
    return f"{kind}{[size if isinstance(size, int) else '*' for size in shape]}"


def _shown(ports: Ports) -> str:
    return ", ".join(f"{name} {port}" for name, port in ports.items()) or "none"
