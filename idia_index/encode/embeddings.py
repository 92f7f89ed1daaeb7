"""Encodes texts through tokens and packs, and normalizes the vectors of all backends.

Everything that a backend returns passes through `unit_rows`, so that all are normalized and
checked in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from idia_index.encode.packs import Int32, plan_packs
from idia_index.encode.tokens import grid_tokens, text_tokens
from idia_index.errors import InputError, ModelError, UnreadableTextError
from idia_index.plugins import BackendPlugin, PackTower
from idia_index.prompts.grid import PromptGrid
from idia_index.types import Float32, quiet

Progress = Callable[[int], None]


def unit_rows(vectors: Float32, backend: BackendPlugin, what: str) -> Float32:
    """Divides a backend's float32 [n, D] by its row norms.

    Raises:
        ModelError: a row is zero or not finite, as with broken weights.
    """
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    usable = np.isfinite(norms) & (norms > 0)
    if not usable.all():
        raise ModelError(
            f"model {backend.model}: its {what} embedding {int(np.argmin(usable))} has length "
            f"{float(norms[np.argmin(usable)][0])}, so its weights are broken; use an intact copy"
        )
    rows: Float32 = (vectors / norms).astype(np.float32, copy=False)
    return rows


def encode_texts(backend: BackendPlugin, texts: Sequence[str]) -> Float32:
    """Text embeddings float32 [n, D], unit rows, in the order of `texts`.

    Raises:
        UnreadableTextError: a text exceeds the model's context length.
    """
    if backend.text_tower is None:
        return _encode_whole(backend, texts, quiet)
    tower = backend.text_tower
    tokens = text_tokens(tower.tokenizer, texts, tower.context_length)
    return _encode_tokens(backend, tower, tokens, quiet)


def encode_grid(
    backend: BackendPlugin, grid: PromptGrid, start: int, stop: int, progress: Progress = quiet
) -> Float32:
    """Text embeddings float32 [T, stop - start, D], unit rows, of a run of the grid's names.

    Raises:
        UnreadableTextError: a prompt exceeds the model's context length.
    """
    shape = (len(grid.templates), stop - start, backend.fingerprint.dim)
    if backend.text_tower is None:
        texts = [text for t in range(shape[0]) for text in grid.texts(t, slice(start, stop))]
        return _encode_whole(backend, texts, progress).reshape(shape)
    tower = backend.text_tower
    tokens = grid_tokens(tower.tokenizer, grid, start, stop, tower.context_length)
    return _encode_tokens(backend, tower, tokens, progress).reshape(shape)


def check_grid(backend: BackendPlugin, grid: PromptGrid, start: int, stop: int) -> bool:
    """Checks by tokens whether the model can read all prompts of a run whole.

    A long build thus fails before it starts. False if only encoding can tell.

    Raises:
        UnreadableTextError: it cannot read one of them.
    """
    if (tower := backend.text_tower) is not None:
        grid_tokens(tower.tokenizer, grid, start, stop, tower.context_length)
        return True
    templates = range(len(grid.templates))
    return all(backend.check_texts(grid.texts(t, slice(start, stop))) for t in templates)


def unreadable_names(backend: BackendPlugin, grid: PromptGrid) -> dict[int, str]:
    """Indices of names with a prompt that the model cannot read whole, and why.

    Encodes the names if tokens cannot tell.
    """
    found: dict[int, str] = {}
    waiting = [(0, len(grid.names))]
    while waiting:  # bisects to the names at fault
        start, stop = waiting.pop()
        try:
            if not check_grid(backend, grid, start, stop):
                encode_grid(backend, grid, start, stop)
        except UnreadableTextError as error:
            if stop - start == 1:
                found[start] = str(error)
            else:
                middle = (start + stop) // 2
                waiting += [(middle, stop), (start, middle)]
    return found


def _encode_whole(backend: BackendPlugin, texts: Sequence[str], progress: Progress) -> Float32:
    """Calls `embed_texts` with texts of similar length, so that little is padding."""
    out = np.empty((len(texts), backend.fingerprint.dim), np.float32)
    by_length = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    for start in range(0, len(texts), backend.text_batch):
        rows = by_length[start : start + backend.text_batch]
        out[rows] = unit_rows(_whole(backend, [texts[i] for i in rows]), backend, "text")
        progress(len(rows))
    return out


def _whole(backend: BackendPlugin, texts: list[str]) -> Float32:
    try:
        return backend.embed_texts(texts)
    except InputError as error:
        if type(error) is InputError:  # how plugins refuse a text
            raise UnreadableTextError(str(error)) from error
        raise


def _encode_tokens(
    backend: BackendPlugin, tower: PackTower, tokens: Int32, progress: Progress
) -> Float32:
    out = np.empty((len(tokens), backend.fingerprint.dim), np.float32)
    nodes = max(tower.pack_nodes, tower.context_length)
    packs = plan_packs(tokens, nodes=nodes, batch=tower.pack_batch)
    for pack, vectors in tower.embed_packs(packs):
        out[pack.rows] = unit_rows(vectors, backend, "text")
        progress(len(pack.rows))
    return out
