"""The blocks of a causal text tower, weights prepared, for towers that bring attention."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from idia_index.backends.torch_products import linear, mlp
from idia_index.backends.torch_text import PackedTextTower


class Block:
    """One residual attention block, all of it but attention itself.

    Attributes:
        heads: of its attention.
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
        """Queries, keys and values side by side: [..., width] -> [..., 3 * width]."""
        return self._qkv(self._ln_1(x).to(self.attending))

    def rest(self, x: Tensor, attended: Tensor) -> Tensor:
        """What follows attention, [..., width] both; `x` is overwritten."""
        x += self._ls_1(self._out(attended.to(self._dtype)))
        x += self._ls_2(self._mlp(self._ln_2(x).to(self._dtype)))
        return x


def prepared_blocks(tower: PackedTextTower, dtype: torch.dtype) -> list[Block]:
    """The blocks of a tower, whose products are computed in a dtype.

    What is summed over the layers, normalisation, and the first block's queries, keys, values and
    attention stay in the tower's own: what they lose, all that follows carries on
    (`docs/performance.md` has the measurements).
    """
    own: torch.dtype = tower.positional_embedding.dtype
    return [Block(b, dtype, dtype if place else own) for place, b in enumerate(tower.blocks)]
