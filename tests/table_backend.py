"""A backend whose text embeddings are rows of a table: any geometry, reproducible bits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from idia_index.plugins import BackendPlugin, IndexType, Shard
from idia_index.prompts.templates import Template, make_templates
from idia_index.types import Fingerprint, Float32


class TableBackend(BackendPlugin):
    """Prompt `t<template> n<name>` is row [template, name] of float32 [T, N, D]."""

    name = "table"
    model = "table"
    device = "nowhere"

    def __init__(self, rows: Float32) -> None:
        self.rows = rows
        self.encoded = 0

    @property
    def templates(self) -> tuple[Template, ...]:
        return make_templates([f"t{t} {{0}}" for t in range(len(self.rows))])

    @property
    def names(self) -> list[str]:
        return [f"n{i}" for i in range(self.rows.shape[1])]

    @property
    def fingerprint(self) -> Fingerprint:
        dim = self.rows.shape[2]
        return Fingerprint("table", "0" * 64, "words", "none", "none", dim, "float32")

    def embed_texts(self, texts: Sequence[str]) -> Float32:
        self.encoded += len(texts)
        places = [tuple(int(word[1:]) for word in text.split()) for text in texts]
        return np.stack([self.rows[place] for place in places])

    def embed_images(self, images: Sequence[Image.Image]) -> Float32:
        raise NotImplementedError


def unit(random: np.random.Generator, *shape: int) -> Float32:
    """Random unit rows."""
    rows = random.standard_normal(shape)
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def clustered(random: np.random.Generator, *shape: int) -> Float32:
    """Unit rows as CLIP's texts lie: close together, some dimensions far larger than others."""
    rows = random.standard_normal(shape) * 0.5
    rows *= np.exp(random.standard_normal(shape[-1]))
    rows += 3 * random.standard_normal((shape[0], 1, shape[-1]))
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def as_shard(index_type: IndexType, rows: Float32) -> Shard:
    """float32 [T, n, D] as a shard of an index type, by way of a file."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"rows{index_type.suffix}"
        index_type.write_shard(path, rows)
        return index_type.open_shard(path, rows.shape)  # mapped: it may go while it is open
