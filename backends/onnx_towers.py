"""Rewrites open_clip's towers for export, with attention that ONNX Runtime computes fast.

An image tower gets ONNX Runtime's own operator, `com.microsoft.MultiHeadAttention`, which needs
no transposes; decomposed attention would add a tenth to the tower's time. The text tower's
attention is decomposed because of its mask: see `OnnxTextTower`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from open_clip.transformer import ResidualAttentionBlock
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from idia_index.backends.torch_text import PackedTextTower, rest

# How far a masked score is below one that the node sees. exp(-40) is 4e-18; even a thousand of
# these vanish in the rounding of float32 (6e-8).
MASKED_BELOW = 40.0


class OnnxTextTower(PackedTextTower):
    """The text tower on packs, as exported.

    Rows stay in one matrix [B * n, width], so that ONNX Runtime fuses each bias into the matrix
    product; queries, keys and values are separate products, so that nothing is split. Together
    this saves a twentieth of the tower's time.

    A score masked by minus infinity becomes a denormal number in ONNX Runtime's exponential, on
    which some processors are a hundred times slower: an eighth of the tower's time. So no score
    is lower than the node's score for itself, which it always sees, minus `MASKED_BELOW`: too
    small to count whatever the scores are, and almost never denormal.
    """

    def forward(self, ids: Tensor, positions: Tensor, mask: Tensor, reads: Tensor) -> Tensor:
        """Embeds the prompts of a pack; arguments and result as in `PackedTextTower`."""
        x = self.token_embedding(ids) + F.embedding(positions, self.positional_embedding)
        x = x.flatten(0, 1)
        bias = torch.zeros_like(mask, dtype=x.dtype).masked_fill(~mask, float("-inf"))[:, None]
        *inner, last = self.blocks
        for block in inner:
            x = rest(block, x, self.attend(block, x, bias))
        x = rest(last, x[reads], self.attend(last, x, bias)[reads])
        return self.project(self.ln_final(x))

    def attend(self, block: Any, x: Tensor, bias: Tensor) -> Tensor:
        """A block's attention before its output projection, [B * n, width].

        Args:
            block: an open_clip `ResidualAttentionBlock`.
            x: [B * n, width].
            bias: [B, 1, n, n], 0 where a node is seen, minus infinity elsewhere.
        """
        attention = block.attn
        shape = (bias.shape[0], bias.shape[-1], attention.num_heads, attention.head_dim)
        weights = zip(
            attention.in_proj_weight.chunk(3), attention.in_proj_bias.chunk(3), strict=True
        )
        rows = block.ln_1(x)
        parts: Any = [F.linear(rows, *pair).view(shape).transpose(1, 2) for pair in weights]
        q, k, v = parts
        scale = 1 / math.sqrt(attention.head_dim)
        own = (q * k).sum(dim=-1, keepdim=True) * scale
        scores = torch.maximum(q @ k.transpose(2, 3) * scale + bias, own - MASKED_BELOW)
        out: Tensor = (scores.softmax(dim=-1) @ v).transpose(1, 2).flatten(2).flatten(0, 1)
        return out


class _OnnxAttention(nn.Module):
    """Replaces an `nn.MultiheadAttention` of an image tower during export."""

    def __init__(self, attention: nn.MultiheadAttention) -> None:
        super().__init__()
        self.attention = attention

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        need_weights: bool = False,
        attn_mask: Tensor | None = None,
    ) -> tuple[Tensor, None]:
        if key is not query or value is not query or need_weights or attn_mask is not None:
            raise NotImplementedError("attention other than unmasked self-attention")
        attention: Any = self.attention
        q, k, v = F.linear(query, attention.in_proj_weight, attention.in_proj_bias).chunk(3, -1)
        attended = torch.onnx.ops.symbolic(
            "com.microsoft::MultiHeadAttention",
            [q, k, v],
            {"num_heads": attention.num_heads, "scale": 1 / math.sqrt(attention.head_dim)},
            dtype=q.dtype,
            shape=list(q.shape),
            version=1,
        )
        return attention.out_proj(attended), None


def _is_plain(attention: Any) -> bool:
    return bool(
        type(attention) is nn.MultiheadAttention
        and attention.batch_first
        and attention.in_proj_weight is not None
        and attention.bias_k is None
        and attention.bias_v is None
        and not attention.add_zero_attn
    )


@contextmanager
def fused_attention(tower: nn.Module) -> Iterator[None]:
    """Temporarily puts ONNX Runtime's attention into the transformer blocks of a tower.

    Other kinds of blocks and attention are exported operator by operator.
    """
    blocks: list[Any] = [
        block
        for block in tower.modules()
        if type(block) is ResidualAttentionBlock and _is_plain(block.attn)
    ]
    kept = [block.attn for block in blocks]
    try:
        for block in blocks:
            block.attn = _OnnxAttention(block.attn)
        yield
    finally:
        for block, attention in zip(blocks, kept, strict=True):
            block.attn = attention
