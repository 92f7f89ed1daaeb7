"""Runs the causal text tower on a GPU, with transfers that overlap computation.

A pack is one pinned block of integers, prepared in a thread and copied while the previous pack is
computed; a tree's mask is built on the device from the ends of its nodes' subtrees. Embeddings
are copied back into pinned memory and collected when later packs are in flight. Trees are padded
to few shapes: attention copies unaligned masks in every layer.
Tested on a CPU; not measured on a GPU by its authors.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from idia_index.backends.torch_blocks import Block, prepared_blocks
from idia_index.backends.torch_text import PackedTextTower
from idia_index.encode.packs import halves
from idia_index.errors import IdiaIndexError
from idia_index.support.concurrency import one_ahead
from idia_index.support.tf32 import without_tf32
from idia_index.types import Float32, Pack

NODES_STEP = 16  # a tree's nodes are padded to a multiple of this
READS_STEP = 512  # a pack's reads are padded to a multiple of this
UNDER_WAY = 3  # packs in flight: submitted to the GPU, not yet collected

# Waits for embeddings and returns them.
Result = Callable[[], Float32]


class GpuTextTower:
    """Text embeddings of packs, on the device of a tower.

    Args:
        tower: the tower of `torch_text`.
        dtype: dtype of the layers' products (see `prepared_blocks`).
    """

    def __init__(self, tower: PackedTextTower, dtype: torch.dtype) -> None:
        self._tower = tower
        self.blocks = prepared_blocks(tower, dtype)
        self.device: torch.device = tower.positional_embedding.device
        self._pinned = self.device.type == "cuda"

    def embed_packs(self, packs: Iterable[Pack]) -> Iterator[tuple[Pack, Float32]]:
        """Each pack with its text embeddings float32 [p, D], not normalised, in order."""
        waiting: deque[tuple[Pack, Result]] = deque()
        for pack, block in one_ahead((pack, self.staged(pack)) for pack in packs):
            waiting.append((pack, self._launch(pack, block)))
            if len(waiting) > UNDER_WAY:
                first, result = waiting.popleft()
                yield first, result()
        for first, result in waiting:
            yield first, result()

    def staged(self, pack: Pack) -> tuple[Tensor, tuple[int, int]]:
        """A pack in the device's layout: int32 [3 * B * n + p] in pinned memory, and (B, n).

        n and p are padded; added nodes see only themselves, added reads are of node 0.
        """
        b, n = pack.ids.shape
        wide, reads = n + -n % NODES_STEP, len(pack.reads) + -len(pack.reads) % READS_STEP
        block = torch.zeros(3 * b * wide + reads, dtype=torch.int32, pin_memory=self._pinned)
        flat = block.numpy()
        nodes = flat[: 3 * b * wide].reshape(3, b, wide)
        nodes[0, :, :n], nodes[1, :, :n], nodes[2, :, :n] = pack.ids, pack.positions, pack.ends
        nodes[2, :, n:] = np.arange(n, wide) + 1
        flat[3 * b * wide :][: len(pack.reads)] = pack.reads // n * wide + pack.reads % n
        return block, (b, wide)

    @torch.inference_mode()
    def forward(self, block: Tensor, shape: tuple[int, int]) -> Tensor:
        """Embeddings float32 [p, D] of a pack on the device, including padding reads.

        It never synchronizes with the device, so that it can be captured as a CUDA graph.
        """
        ids, positions, ends = block[: 3 * shape[0] * shape[1]].view(3, *shape)
        reads = block[3 * shape[0] * shape[1] :]
        tower = self._tower
        x = F.embedding(ids, tower.token_embedding.weight)
        x = x + F.embedding(positions, tower.positional_embedding)
        dtypes = {layer.attending for layer in self.blocks}
        masks = {dtype: self.mask(ends, dtype) for dtype in dtypes}
        *inner, last = self.blocks
        for layer in inner:
            x = layer.rest(x, self._attended(layer, x, masks[layer.attending]))
        # From here on, only the nodes that are read.
        attended = self._attended(last, x, masks[last.attending]).flatten(0, 1)
        x = last.rest(x.flatten(0, 1).index_select(0, reads), attended.index_select(0, reads))
        return tower.project(tower.ln_final(x)).float()

    def mask(self, ends: Tensor, dtype: torch.dtype) -> Tensor:
        """The mask argument of `attention`, from int32 [B, n] subtree ends."""
        sees = tree_mask(ends)
        return torch.zeros(sees.shape, dtype=dtype, device=ends.device).masked_fill_(
            ~sees, float("-inf")
        )

    def attention(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
        """Attention [B, heads, n, head_width] of queries, keys and values of that shape."""
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)

    def _attended(self, block: Block, x: Tensor, mask: Tensor) -> Tensor:
        """A block's attention before its output projection, [B, n, width]."""
        b, n, width = x.shape
        # [B, n, 3 * width] -> three views [B, heads, n, head_width].
        parts = block.qkv(x).view(b, n, 3, block.heads, -1).permute(2, 0, 3, 1, 4)
        q, k, v = parts.unbind(0)
        out = self.attention(q, k, v, mask)
        return out.transpose(1, 2).reshape(b, n, width)

    @torch.inference_mode()
    def _launch(self, pack: Pack, staged: tuple[Tensor, tuple[int, int]]) -> Result:
        """Runs a pack on the device, in halves if it runs out of memory."""
        block, shape = staged
        try:
            with without_tf32(torch):
                there = self.forward(block.to(self.device, non_blocking=True), shape)
            rows = there[: len(pack.reads)]
            out = torch.empty(rows.shape, pin_memory=self._pinned)
            out.copy_(rows, non_blocking=True)
        except torch.cuda.OutOfMemoryError as error:
            return self._in_halves(pack, error)
        event = torch.cuda.current_stream(self.device).record_event() if self._pinned else None

        def result() -> Float32:
            if event is not None:
                event.synchronize()
            found: Float32 = out.numpy()
            return found

        return result

    def _in_halves(self, pack: Pack, error: Exception) -> Result:
        if len(pack.ids) == 1:
            raise IdiaIndexError(
                f"{self.device} has too little memory for a pack of {pack.ids.size} nodes; stop "
                "other programs on it, or use device cpu"
            ) from error
        torch.cuda.empty_cache()
        parts = [self._launch(half, self.staged(half)) for half in halves(pack)]
        return lambda: np.concatenate([part() for part in parts])


def tree_mask(ends: Tensor) -> Tensor:
    """bool [B, 1, n, n], which nodes see which, from the ends of subtrees [B, n]."""
    nodes = torch.arange(ends.shape[1], device=ends.device)
    sees = (nodes[:, None] >= nodes) & (nodes[:, None] < ends[:, None, :])
    return sees[:, None]
