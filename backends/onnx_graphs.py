"""Writes towers as ONNX files with PyTorch's exporter."""

from __future__ import annotations

import errno
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir
import torch
from torch import Tensor, nn

from idia_index.backends.onnx_format import DATA_SUFFIX, IMAGE_GRAPH, TEXT_GRAPH
from idia_index.backends.onnx_io import IMAGE_INPUTS, OUTPUT, TEXT_INPUTS
from idia_index.backends.onnx_towers import OnnxTextTower, fused_attention
from idia_index.backends.torch_text import ImageTower
from idia_index.errors import ModelError

OPSET = 20
# Smaller tensors stay in the graph file; a mapped file is read in pages.
_MIN_EXTERNAL_BYTES = 1024


def write_image_graph(model: nn.Module, size: tuple[int, int], folder: Path, dtype: str) -> None:
    """Writes the image tower of an open_clip model for images of (height, width)."""
    tower = ImageTower(model).eval()
    # A batch of two: a size of one would be exported as a constant.
    pixels = torch.zeros(2, 3, *size)
    axes = ({0: torch.export.Dim("images")},)
    with fused_attention(tower):
        graph = _export(tower, (pixels,), IMAGE_INPUTS, axes)
    _save(graph, folder / IMAGE_GRAPH, dtype)


def write_text_graph(model: nn.Module, folder: Path, dtype: str) -> None:
    """Writes the text tower of an open_clip model, for packs of any size."""
    tower = OnnxTextTower(model).eval()
    # All sizes differ from each other and from one, so that the exporter confuses none.
    trees, nodes = 2, min(7, len(tower.positional_embedding))
    ids = torch.zeros(trees, nodes, dtype=torch.int64)
    positions = torch.arange(nodes).repeat(trees, 1)
    mask = torch.ones(nodes, nodes, dtype=torch.bool).tril().repeat(trees, 1, 1)
    reads = torch.tensor([0, nodes - 1, nodes])
    b, n, p = (torch.export.Dim(name) for name in ("trees", "nodes", "prompts"))
    axes = ({0: b, 1: n}, {0: b, 1: n}, {0: b, 1: n, 2: n}, {0: p})
    graph = _export(tower, (ids, positions, mask, reads), TEXT_INPUTS, axes)
    _save(graph, folder / TEXT_GRAPH, dtype)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silences the exporter's messages about axis names and internals."""
    logs = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript")]
    levels = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)


def _export(
    tower: nn.Module, args: tuple[Tensor, ...], inputs: Sequence[str], axes: tuple[Any, ...]
) -> ir.Model:
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            tower,
            args,
            dynamo=True,
            input_names=list(inputs),
            output_names=[OUTPUT],
            dynamic_shapes=axes,
            opset_version=OPSET,
            verbose=False,
        )
    assert program is not None
    model: ir.Model = program.model
    return model


def _save(model: ir.Model, path: Path, dtype: str) -> None:
    _strip(model)
    if dtype == "float16":
        _store_halves(model, path)
    try:
        ir.save(
            model,
            path,
            external_data=path.name + DATA_SUFFIX,
            size_threshold_bytes=_MIN_EXTERNAL_BYTES,
        )
    except OSError as error:
        if error.errno is None:  # NumPy's error, which does not say why
            raise OSError(errno.ENOSPC, "no room for all of it") from error
        raise


def _strip(model: ir.Model) -> None:
    """Removes the exporter's debugging metadata: source lines, paths, module names."""
    model.metadata_props.clear()
    model.doc_string = None
    for graph in (model.graph, *(function.graph for function in model.functions.values())):
        graph.metadata_props.clear()
        graph.doc_string = None
        for node in graph.all_nodes():
            node.metadata_props.clear()
            node.doc_string = None
            for value in node.outputs:
                value.metadata_props.clear()
        for value in (*graph.inputs, *graph.initializers.values()):
            value.metadata_props.clear()


def _store_halves(model: ir.Model, path: Path) -> None:
    """Stores the weight matrices in float16, each followed by a cast back to float32.

    ONNX Runtime does the casts once, when it loads the graph, so every provider computes in
    float32; few CPUs support float16. Vectors are small and stay float32.

    Raises:
        ModelError: a weight is beyond the range of float16.
    """
    casts = []
    for value in list(model.graph.initializers.values()):
        if value.dtype != ir.DataType.FLOAT or value.const_value is None:
            continue
        if len(value.const_value.shape) < 2:
            continue
        with np.errstate(over="ignore"):
            halves = value.const_value.numpy().astype(np.float16)
        if not np.isfinite(halves).all():
            raise ModelError(
                f"{path.name}: the weight {value.name} is beyond the range of float16; "
                "export with --dtype float32"
            )
        casts.append(_cast(model, value, halves))
    model.graph.insert_before(model.graph[0], casts)


def _cast(model: ir.Model, value: ir.Value, halves: Any) -> ir.Node:
    """Replaces an initializer by its float16 values and returns the cast that follows it."""
    name = value.name
    assert name is not None
    stored = ir.Value(
        name=name + ".float16",
        type=ir.TensorType(ir.DataType.FLOAT16),
        shape=value.shape,
        const_value=ir.tensor(halves, name=name + ".float16"),
    )
    cast = ir.node("Cast", [stored], {"to": ir.DataType.FLOAT}, num_outputs=1)
    cast.outputs[0].name = name + ".float32"
    cast.outputs[0].type = ir.TensorType(ir.DataType.FLOAT)
    cast.outputs[0].shape = value.shape
    ir.convenience.replace_all_uses_with(value, cast.outputs[0])
    del model.graph.initializers[name]
    model.graph.initializers[stored.name or ""] = stored
    return cast
