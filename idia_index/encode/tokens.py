"""Tokenizes prompts: names and templates once each where that is exact."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from idia_index.encode.packs import PAD, Int32
from idia_index.errors import UnreadableTextError
from idia_index.prompts.grid import PromptGrid
from idia_index.prompts.templates import Template
from idia_index.support.text import shown
from idia_index.types import Int64

if TYPE_CHECKING:
    from idia_index.plugins import Tokenizer

# A template that joins with any name, depending only on the name.
_ANY = Template("{0}")


def _matrix(sequences: Sequence[Sequence[int]]) -> Int32:
    """int32 [n, L] of token lists, PAD past each end."""
    lengths = np.fromiter(map(len, sequences), np.int64, len(sequences))
    out = np.full((len(sequences), int(lengths.max(initial=0))), PAD, np.int32)
    filled = np.arange(out.shape[1]) < lengths[:, None]
    out[filled] = np.fromiter(chain.from_iterable(sequences), np.int32, int(lengths.sum()))
    return out


def _framed(
    tokenizer: Tokenizer, prefix: Sequence[int], bodies: Int32, suffix: Sequence[int]
) -> Int32:
    """Start + prefix + body + suffix + end for every row of bodies int32 [n, L]."""
    lengths = (bodies != PAD).sum(axis=1)
    head = np.array([tokenizer.start, *prefix], np.int32)
    tail = np.array([*suffix, tokenizer.end], np.int32)
    out = np.full((len(bodies), len(head) + bodies.shape[1] + len(tail)), PAD, np.int32)
    out[:, : len(head)] = head
    out[:, len(head) : len(head) + bodies.shape[1]] = bodies
    places = len(head) + lengths[:, None] + np.arange(len(tail))
    np.put_along_axis(out, places, tail[None].repeat(len(bodies), axis=0), axis=1)
    return out


def _check(tokens: Int32, tokenizer: Tokenizer, context_length: int, texts: Sequence[str]) -> None:
    """Refuses prompts that the model would silently truncate or read at the wrong token."""
    lengths = (tokens != PAD).sum(axis=1)
    if len(tokens) and lengths.max() > context_length:
        worst = int(lengths.argmax())
        raise UnreadableTextError(
            f"prompt {shown(texts[worst], 300)} has {lengths[worst]} tokens, the model reads "
            f"{context_length}: shorten the name or the template"
        )
    special = ((tokens == tokenizer.start) | (tokens == tokenizer.end)).sum(axis=1)
    if len(tokens) and special.max() > 2:
        worst = int(special.argmax())
        raise UnreadableTextError(
            f"prompt {shown(texts[worst], 300)} holds one of the model's special tokens; "
            "remove it from the name or the template"
        )


def text_matrix(tokenizer: Tokenizer, texts: Sequence[str]) -> Int32:
    """Tokens int32 [n, L] of whole texts, including start and end, unchecked."""
    return _framed(tokenizer, (), _matrix(tokenizer.encode(texts)), ())


def text_tokens(tokenizer: Tokenizer, texts: Sequence[str], context_length: int) -> Int32:
    """Tokens int32 [n, L] of whole texts, including start and end, PAD past the end.

    Raises:
        UnreadableTextError: a text exceeds the context length or holds a special token.
    """
    tokens = text_matrix(tokenizer, texts)
    _check(tokens, tokenizer, context_length, texts)
    return tokens


class _GridTexts(Sequence[str]):
    """The prompts of a run of a grid in row order, built on access."""

    def __init__(self, grid: PromptGrid, start: int, stop: int) -> None:
        self._grid, self._start, self._width = grid, start, stop - start

    def __len__(self) -> int:
        return len(self._grid.templates) * self._width

    def __getitem__(self, row: int) -> str:  # type: ignore[override]
        t, n = divmod(row, self._width)
        return self._grid.text(t, self._start + n)


def grid_tokens(
    tokenizer: Tokenizer, grid: PromptGrid, start: int, stop: int, context_length: int
) -> Int32:
    """Tokens int32 [T * (stop - start), L] of a run of a grid's names, template by template.

    Each name and template is tokenized once and their tokens are joined where the tokenizer
    cannot see across the join; any other prompt is tokenized whole.

    Raises:
        UnreadableTextError: a prompt exceeds the context length or holds a special token.
    """
    names = grid.names[start:stop]
    apart = [i for i, name in enumerate(names) if _ANY.tokens_join(name)]
    whole = np.setdiff1d(np.arange(len(names)), apart)
    bodies = _matrix(tokenizer.encode([names[i] for i in apart]))
    blocks = []
    for t, template in enumerate(grid.templates):
        joined = apart if template.tokens_join("") else []
        rest = whole if template.tokens_join("") else np.arange(len(names))
        parts = [(rest, text_matrix(tokenizer, [grid.text(t, start + int(i)) for i in rest]))]
        if joined:
            prefix, suffix = tokenizer.encode([template.prefix, template.suffix])
            parts.append((np.array(joined), _framed(tokenizer, prefix, bodies, suffix)))
        blocks.append(_placed(len(names), parts))
    tokens = _stacked(blocks)
    _check(tokens, tokenizer, context_length, _GridTexts(grid, start, stop))
    return tokens


def _placed(rows: int, parts: Sequence[tuple[Int64, Int32]]) -> Int32:
    """One matrix of `rows` rows from parts with their row indices."""
    out = np.full((rows, max(part.shape[1] for _, part in parts)), PAD, np.int32)
    for places, part in parts:
        out[places, : part.shape[1]] = part
    return out


def _stacked(blocks: Sequence[Int32]) -> Int32:
    out = np.full((sum(map(len, blocks)), max(block.shape[1] for block in blocks)), PAD, np.int32)
    row = 0
    for block in blocks:
        out[row : row + len(block), : block.shape[1]] = block
        row += len(block)
    return out
