"""Runs CLIP's image towers, vision transformers and ResNets, on a CPU.

Computes the same as open_clip's `VisionTransformer`. Patches are a view and multiplied as rows,
which avoids a convolution's copies. The last layer is computed only for the class token, the only
one that is read, which saves two thirds of that layer.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from open_clip.modified_resnet import ModifiedResNet
from open_clip.transformer import ResidualAttentionBlock, Transformer, VisionTransformer
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.nn.utils.fusion import fuse_conv_bn_eval

from idia_index.backends.torch_blocks import Block
from idia_index.backends.torch_products import linear

Tower: TypeAlias = Callable[[Tensor], Tensor]

# Between unit vectors in float32; reordering the same sums causes a hundredth of it.
_TOLERANCE = 1e-4


def cpu_image_tower(visual: nn.Module, dtype: torch.dtype) -> Tower | None:
    """A faster equivalent of a model's `visual` in float32, if there is one; verified by running.

    Args:
        visual: the image tower of an open_clip model, on the CPU.
        dtype: dtype of the products.
    """
    if type(visual) is ModifiedResNet and dtype is torch.float32:
        tower = trial = _folded(visual)
    elif _is_plain(visual):
        tower, trial = CpuImageTower(visual, dtype), CpuImageTower(visual, torch.float32)
    else:
        return None
    size: Any = visual.image_size
    height, width = (size, size) if isinstance(size, int) else size
    pixels = torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode(), torch.autocast("cpu", enabled=False):
        mine, own = F.normalize(trial(pixels)), F.normalize(visual(pixels))
    return tower if bool((mine - own).abs().max() < _TOLERANCE) else None


def _folded(visual: nn.Module) -> Tower:
    """A copy of a ResNet with normalisation folded into its convolutions and channels last, in
    0.8 of the original's time."""
    folded: Any = copy.deepcopy(visual).eval()
    for module in folded.modules():
        for convolution, norm in (("conv1", "bn1"), ("conv2", "bn2"), ("conv3", "bn3"), ("0", "1")):
            own, after = getattr(module, convolution, None), getattr(module, norm, None)
            if isinstance(own, nn.Conv2d) and isinstance(after, nn.BatchNorm2d):
                setattr(module, convolution, fuse_conv_bn_eval(own, after))
                setattr(module, norm, nn.Identity())
    folded = folded.to(memory_format=torch.channels_last)
    return lambda pixels: folded(pixels.contiguous(memory_format=torch.channels_last))


def _is_plain(visual: Any) -> bool:
    return bool(
        type(visual) is VisionTransformer
        and type(visual.transformer) is Transformer
        and visual.pool_type == "tok"
        and visual.attn_pool is None
        and visual.proj is not None
        and not visual.output_tokens
        and isinstance(visual.patch_dropout, nn.Identity)
        and visual.class_embedding.dtype is torch.float32
        and all(
            type(block) is ResidualAttentionBlock
            and type(block.attn) is nn.MultiheadAttention
            and block.attn.in_proj_weight is not None
            and block.attn.batch_first
            and block.attn.bias_k is None
            and not block.attn.add_zero_attn
            for block in visual.transformer.resblocks
        )
    )


class CpuImageTower:
    """Image embeddings of preprocessed images; shares the parameters of `visual`."""

    def __init__(self, visual: Any, dtype: torch.dtype) -> None:
        self._visual = visual
        weight = visual.conv1.weight
        self._patches = linear(weight.flatten(1), None, weight.dtype)
        blocks = enumerate(visual.transformer.resblocks)
        self._blocks = [Block(b, dtype, dtype if place else weight.dtype) for place, b in blocks]

    def __call__(self, pixels: Tensor) -> Tensor:
        """Pixels float32 [m, 3, H, W] -> [m, D], not normalised."""
        visual, m = self._visual, len(pixels)
        x = visual.ln_pre(self._embedded(pixels))
        tokens, width = x.shape[1:]
        x = x.view(-1, width)
        *inner, last = self._blocks
        for block in inner:
            x = block.rest(x, _attend(block, x, m, tokens))
        # oneDNN compiles and caches a kernel for every number of rows: keep m to few values.
        x = last.rest(x.view(m, tokens, width)[:, 0].clone(), _attend(last, x, m, 1))
        embedded: Tensor = visual.ln_post(x) @ visual.proj
        return embedded

    def _embedded(self, pixels: Tensor) -> Tensor:
        """Patches with class token and positions: [m, 1 + patches, width]."""
        visual, m = self._visual, len(pixels)
        (rows, columns), (high, wide) = visual.grid_size, visual.patch_size
        pixels = pixels[:, :, : rows * high, : columns * wide]
        cut = pixels.reshape(m, 3, rows, high, columns, wide).permute(0, 2, 4, 1, 3, 5)
        out = torch.empty(m, 1 + rows * columns, visual.class_embedding.shape[0])
        out[:, 0] = visual.class_embedding
        out[:, 1:] = self._patches(cut.reshape(m, rows * columns, -1))
        out += visual.positional_embedding
        return out


def _attend(block: Block, x: Tensor, images: int, queries: int) -> Tensor:
    """Attention before its output projection, from each image's first tokens to all its tokens.

    Args:
        block: the block.
        x: [images * tokens, width].
        images: number of images.
        queries: number of tokens per image that attend.

    Returns:
        [images * queries, width].
    """
    parts = block.qkv(x).view(images, -1, 3, block.heads, x.shape[1] // block.heads)
    q, k, v = parts.permute(2, 0, 3, 1, 4).unbind(0)
    out = F.scaled_dot_product_attention(q[:, :, :queries], k, v)
    return out.transpose(1, 2).reshape(images * queries, -1)
