"""Prepares the blocks of a causal text tower for towers with their own attention."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from idia_index.backends.torch_products import linear, mlp
from idia_index.backends.torch_text import PackedTextTower


class Block:
    """One residual attention block, except attention itself.

    Attributes:
        heads: number of attention heads.
        attending: dtype of queries, keys, values and attention.
    """

    def __init__(self, block: Any, dtype: torch.dtype, attending: torch.dtype) -> None:
        attention = block.attn
        self._dtype, self.attending = dtype, attending
        self.heads: int = attention.num_heads
        self._ln_1, self._ln_2 = block.ln_1, block.ln_2
        self._ls_1, self._ls_2 = block.ls_1, block.ls_2
        self._qkv = linear(attention.in_proj_weight, attention.in_proj_bias, attending)
        self._out = linear(attention.out_proj.weight, attention.out_proj.bias, dtype)
        self._mlp = mlp(block.mlp.c_fc, block.mlp.gelu, block.mlp.c_proj, dtype)

    def qkv(self, x: Tensor) -> Tensor:
        """Queries, keys and values, concatenated: [..., width] -> [..., 3 * width]."""
        return self._qkv(self._ln_1(x).to(self.attending))

    def rest(self, x: Tensor, attended: Tensor) -> Tensor:
        """The rest of the block after attention, [..., width]; overwrites `x`."""
        x += self._ls_1(self._out(attended.to(self._dtype)))
        x += self._ls_2(self._mlp(self._ln_2(x).to(self._dtype)))
        return x


def prepared_blocks(tower: PackedTextTower, dtype: torch.dtype) -> list[Block]:
    """The blocks of a tower, with products computed in a dtype.

    The residual stream, normalisation, and the first block's queries, keys, values and attention
    keep the tower's dtype, because their errors would propagate through all later layers
    (measured in `docs/performance.md`).
    """
    own: torch.dtype = tower.positional_embedding.dtype
    return [Block(b, dtype, dtype if place else own) for place, b in enumerate(tower.blocks)]
