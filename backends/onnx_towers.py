"""open_clip's towers as they are exported: with ONNX Runtime's own attention operator.

ONNX has no attention that every version of ONNX Runtime computes in one piece; taken apart
into matrix products, transposes and a softmax, it costs a quarter of a tower's time. The
operator `com.microsoft.MultiHeadAttention` does it in one pass over the rows as they lie.
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

from idia_index.backends.torch_text import PackedTextTower


def _fused_attention(attention: Any, x: Tensor, bias: Tensor | None = None) -> Tensor:
    """Self-attention before the output projection: [B, n, width] -> [B, n, width].

    Args:
        attention: an `nn.MultiheadAttention` with one projection for query, key and value.
        x: its input, [B, n, width].
        bias: what is added to the scores, [B, 1, n, n].
    """
    q, k, v = F.linear(x, attention.in_proj_weight, attention.in_proj_bias).chunk(3, dim=-1)
    inputs = [q, k, v] if bias is None else [q, k, v, None, None, bias]
    return torch.onnx.ops.symbolic(
        "com.microsoft::MultiHeadAttention",
        inputs,
        {"num_heads": attention.num_heads, "scale": 1 / math.sqrt(attention.head_dim)},
        dtype=q.dtype,
        shape=list(q.shape),
        version=1,
    )


class OnnxTextTower(PackedTextTower):
    """The text tower on packs, for export only: PyTorch cannot run its attention."""

    def attend(self, block: Any, x: Tensor, bias: Tensor) -> Tensor:
        """Attention of a block before its output projection: [B, n, width] both."""
        return _fused_attention(block.attn, block.ln_1(x), bias)


class _OnnxAttention(nn.Module):
    """Stands for an `nn.MultiheadAttention` in an image tower while it is exported."""

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
            raise NotImplementedError("attention other than of a sequence to the whole of itself")
        out: Tensor = self.attention.out_proj(_fused_attention(self.attention, query))
        return out, None


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
    """Puts ONNX Runtime's attention into the transformer blocks of a tower, for the while.

    Blocks and attentions of other kinds stay as they are and are exported piece by piece.
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
