"""Runs an open_clip model's causal text tower on packs, and its image tower.

Both are plain modules without data-dependent control flow, so that `torch.export` accepts them.
They share the modules and parameters of the open_clip model; only attention is reimplemented,
because it needs a tree's mask instead of the causal one.
"""

from __future__ import annotations

from typing import Any

import torch
from open_clip.transformer import ResidualAttentionBlock, TextTransformer, Transformer
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

CAUSAL_POOLS = ("argmax", "eos")


def text_part(model: nn.Module) -> Any:
    """The module with the text tower: `model.text`, or open_clip's `CLIP` model itself."""
    return getattr(model, "text", model)


def pack_refusal(model: nn.Module) -> str | None:
    """Why the text tower of an open_clip model cannot run packs; None if it can.

    It can if every state depends only on earlier tokens, the embedding is read at the end-of-text
    token, and `PackedTextTower` computes each of its layers exactly.
    """
    text = text_part(model)
    transformer: Any = getattr(text, "transformer", None)
    if text is not model and type(text) is not TextTransformer:
        return f"its text tower is a {type(text).__name__}"
    if type(transformer) is not Transformer:
        return f"its text transformer is a {type(transformer).__name__}"
    if getattr(text, "cls_emb", None) is not None:
        return "it reads a class token after the padding"
    if not _is_causal(getattr(text, "attn_mask", None)):
        return "its text tower is not causal"
    pool = getattr(text, "pool_type", getattr(text, "text_pool_type", None))
    if pool not in CAUSAL_POOLS:
        return f"it pools text by {pool!r}"
    return next(filter(None, map(_block_refusal, transformer.resblocks)), None)


def _is_causal(mask: Tensor | None) -> bool:
    if mask is None:
        return False
    causal = torch.full_like(mask, float("-inf")).triu_(1)
    return torch.equal(mask, causal)


def _block_refusal(block: nn.Module) -> str | None:
    if type(block) is not ResidualAttentionBlock or hasattr(block, "ln_1_kv"):
        return f"its text blocks are of type {type(block).__name__}"
    attention = block.attn
    # Options of F.multi_head_attention_forward beyond plain attention.
    plain = (
        type(attention) is nn.MultiheadAttention
        and attention.in_proj_weight is not None
        and attention.bias_k is None
        and attention.bias_v is None
        and not attention.add_zero_attn
    )
    return None if plain else f"its attention is a non-standard {type(attention).__name__}"


class PackedTextTower(nn.Module):
    """Text embeddings of packs (see `idia_index.types.Pack`).

    Args:
        model: an open_clip `CLIP`, or a `CustomTextCLIP` with a `TextTransformer`, with
            `pack_refusal` None; the tower shares its parameters.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        text = text_part(model)
        self.token_embedding = text.token_embedding
        self.positional_embedding = text.positional_embedding
        self.blocks = nn.ModuleList(text.transformer.resblocks)
        self.ln_final = text.ln_final
        self.text_projection = text.text_projection

    def forward(self, ids: Tensor, positions: Tensor, mask: Tensor, reads: Tensor) -> Tensor:
        """Embeds the prompts of a pack.

        Args:
            ids: int64 [B, n], tokens.
            positions: int64 [B, n], position of each token in its prompt.
            mask: bool [B, n, n], mask[b, i, j] where node i sees node j of tree b.
            reads: int64 [p], nodes to read, as b * n + i.

        Returns:
            [p, D] in the dtype of the parameters, not normalised.
        """
        x = self.token_embedding(ids) + F.embedding(positions, self.positional_embedding)
        # Additive and built once: a boolean mask would be converted in every layer.
        bias = torch.zeros_like(mask, dtype=x.dtype).masked_fill(~mask, float("-inf"))[:, None]
        *inner, last = self.blocks
        for block in inner:
            x = rest(block, x, self.attend(block, x, bias))
        # Attention for all nodes costs little; the output projection, the MLP and everything
        # after, most of a layer, are computed only for the nodes that are read.
        attended = self.attend(last, x, bias).flatten(0, 1)
        x = rest(last, x.flatten(0, 1)[reads], attended[reads])
        return self.project(self.ln_final(x))

    def attend(self, block: Any, x: Tensor, bias: Tensor) -> Tensor:
        """A block's attention before its output projection; exports override it."""
        return _attend(block, x, bias)

    def project(self, x: Tensor) -> Tensor:
        """Projects to the common space: [p, width] -> [p, D]."""
        if self.text_projection is None:
            return x
        if isinstance(self.text_projection, nn.Linear):
            projected: Tensor = self.text_projection(x)
            return projected
        embedding: Tensor = x @ self.text_projection
        return embedding


def _attend(block: Any, x: Tensor, bias: Tensor) -> Tensor:
    """Attention of a block before its output projection: [B, n, width] -> [B, n, width]."""
    attention = block.attn
    b, n, width = x.shape
    qkv = F.linear(block.ln_1(x), attention.in_proj_weight, attention.in_proj_bias)
    # [B, n, 3 * width] -> three views [B, heads, n, head_width].
    parts = qkv.view(b, n, 3, attention.num_heads, attention.head_dim).permute(2, 0, 3, 1, 4)
    q, k, v = parts.unbind(0)
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
    return out.transpose(1, 2).reshape(b, n, width)


def rest(block: Any, x: Tensor, attended: Tensor) -> Tensor:
    """The rest of a block after attention, [..., width] to [..., width]."""
    x = x + block.ls_1(block.attn.out_proj(attended))
    out: Tensor = x + block.ls_2(block.mlp(block.ln_2(x)))
    return out


class ImageTower(nn.Module):
    """Image embeddings of an open_clip model; shares its parameters."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.visual: nn.Module = model.visual  # type: ignore[assignment]

    def forward(self, pixels: Tensor) -> Tensor:
        """Preprocessed images [m, 3, H, W] -> [m, D], not normalised."""
        out = self.visual(pixels)
        # CoCa's tower returns its tokens beside the embedding.
        embedding: Tensor = out[0] if isinstance(out, tuple) else out
        return embedding
