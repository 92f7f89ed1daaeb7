"""Runs the causal text tower on a CPU: the layers of `PackedTextTower`, one large tree at a time.

It computes the same as the tower of GPUs and exports, but differs in two ways. Linear layers use
oneDNN (see `idia_index.backends.torch_products`). And a pack is one large tree, so that almost no
prefix is computed twice and nothing is padding; its attention is computed in windows: the nodes
of a window see each other and the few nodes above it, which in sorted order are the path to its
first node.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from idia_index.backends.torch_blocks import Block, prepared_blocks
from idia_index.backends.torch_text import PackedTextTower
from idia_index.types import Int64, Pack

# Nodes per window. Measured with ViT-B-32 on AVX-512 cores: 16 to 64 are within 3 %.
WINDOW = 32
# A window's keys are padded to a multiple of this, to fit SIMD registers.
_KEYS_STEP = 16

Mask = NDArray[np.bool_]


def cut_windows(mask: Mask, size: int) -> tuple[Int64, Mask]:
    """Splits the attention of trees of n nodes into windows of `size` nodes each.

    Args:
        mask: bool [B, n, n], as in a pack; n is a multiple of `size`.
        size: nodes of a window.

    Returns:
        keys int64 [W, m], for each of W = B * n / size windows the nodes that it may see, as
        b * n + j, and sees bool [W, size, m], which of them each of its nodes sees.
    """
    b, n, _ = mask.shape
    count = n // size
    rows = mask.reshape(b * count, size, n)
    own = np.tile(np.arange(n).reshape(count, size), (b, 1))
    above: Mask = np.asarray(rows.any(axis=1))
    np.put_along_axis(above, own, False, axis=1)
    window, node = np.nonzero(above)
    seen = above.sum(axis=1)
    widest = int(seen.max(initial=0))
    widest += -(widest + size) % _KEYS_STEP
    keys = np.zeros((b * count, widest), np.int64)
    rank = np.arange(len(window)) - (np.cumsum(seen) - seen)[window]
    keys[window, rank] = node
    keys = np.concatenate([keys, own], axis=1)
    sees = np.take_along_axis(rows, keys[:, None], axis=2)
    sees[:, :, :widest] &= (np.arange(widest) < seen[:, None])[:, None]
    return keys + np.repeat(np.arange(b) * n, count)[:, None], sees


def _whole_windows(pack: Pack, size: int) -> Pack:
    """A pack with trees padded to a multiple of `size` nodes; added nodes see only themselves."""
    n = pack.ids.shape[1]
    wide = n + -n % size
    if wide == n:
        return pack
    more = ((0, 0), (0, wide - n))
    ids, positions, ends = (np.pad(part, more) for part in (pack.ids, pack.positions, pack.ends))
    ends[:, n:] = np.arange(n, wide) + 1
    reads = pack.reads // n * wide + pack.reads % n
    return Pack(ids, positions, ends, reads, pack.rows)


class CpuTextTower:
    """Text embeddings of packs, on a CPU.

    Args:
        tower: the tower of `torch_text`, on the CPU. Its layers' weights are copied into oneDNN's
            layout if that is used.
        dtype: dtype of the layers' products (see `prepared_blocks`).
    """

    def __init__(self, tower: PackedTextTower, dtype: torch.dtype) -> None:
        self._tower = tower
        self._blocks = prepared_blocks(tower, dtype)

    def __call__(self, pack: Pack) -> Tensor:
        """Embeddings [p, D] at `pack.reads`, in the dtype of the parameters, not normalised."""
        pack = _whole_windows(pack, WINDOW)
        keys, sees = (torch.from_numpy(array) for array in cut_windows(pack.mask, WINDOW))
        tower = self._tower
        x = F.embedding(torch.from_numpy(pack.ids.ravel()), tower.token_embedding.weight)
        x += F.embedding(torch.from_numpy(pack.positions.ravel()), tower.positional_embedding)
        bias = torch.zeros(sees.shape, dtype=x.dtype).masked_fill_(~sees, float("-inf"))[:, None]
        *inner, last = self._blocks
        for block in inner:
            bias = bias.to(block.attending)
            x = block.rest(x, _attend(block, x, keys, bias))
        bias = bias.to(last.attending)
        # As in `PackedTextTower`: from here on, only the nodes that are read. oneDNN caches a
        # kernel of a megabyte for every number of rows: keep these to few values.
        count = len(pack.reads)
        reads = torch.from_numpy(np.pad(pack.reads, (0, -count % WINDOW), mode="edge"))
        x = last.rest(x[reads], _attend(last, x, keys, bias)[reads])
        return tower.project(tower.ln_final(x))[:count]


def _attend(block: Block, x: Tensor, keys: Tensor, bias: Tensor) -> Tensor:
    """Attention before its output projection: [N, width] -> [N, width].

    Args:
        block: the block.
        x: [N, width], all nodes.
        keys: int64 [W, m], nodes that a window may see.
        bias: [W, 1, N / W, m], 0 where a node sees a key, else -inf.
    """
    qkv = block.qkv(x)
    (windows, _, size, m), width = bias.shape, x.shape[1]
    q = qkv.view(windows, size, 3, block.heads, -1)[:, :, 0]
    kv = qkv[:, width:].index_select(0, keys.ravel()).view(windows, m, 2, block.heads, -1)
    q, k, v = (part.transpose(1, 2) for part in (q, *kv.unbind(2)))
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
    return out.transpose(1, 2).reshape(len(x), width)
