"""Ways to run the text tower on a GPU, that a run compares: attention, sums, how it is launched."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from idia_index.backends.torch_gpu_text import GpuTextTower, tree_mask
from idia_index.backends.torch_text import PackedTextTower


class Boolean(GpuTextTower):
    """Attention that is given the mask as it is."""

    def mask(self, ends: Tensor, dtype: torch.dtype) -> Tensor:
        return tree_mask(ends)


class ByHand(GpuTextTower):
    """Two products and a softmax."""

    def attention(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
        scores = q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5
        return F.softmax(scores + mask, dim=-1) @ v


class Flex(GpuTextTower):
    """PyTorch's flex attention, compiled; the mask is two comparisons in the kernel."""

    def __init__(self, tower: PackedTextTower, dtype: torch.dtype) -> None:
        from torch.nn.attention.flex_attention import flex_attention

        super().__init__(tower, dtype)
        self._flex = torch.compile(flex_attention, dynamic=False)

    def mask(self, ends: Tensor, dtype: torch.dtype) -> Tensor:
        return ends

    def attention(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
        def seen(score: Tensor, b: Tensor, h: Tensor, i: Tensor, j: Tensor) -> Tensor:
            return torch.where((i >= j) & (i < mask[b, j]), score, float("-inf"))

        out: Tensor = self._flex(q, k, v, score_mod=seen)
        return out


ATTENTION: dict[str, type[GpuTextTower]] = {
    "SDPA, additive mask": GpuTextTower,
    "SDPA, boolean mask": Boolean,
    "two products and softmax": ByHand,
    "flex attention": Flex,
}


def all_in(tower: PackedTextTower, dtype: torch.dtype) -> PackedTextTower:
    """The tower with everything in a dtype, sums over layers included."""
    return copy.deepcopy(tower).to(dtype)


def as_is(tower: GpuTextTower) -> GpuTextTower:
    """Every kernel launched by Python."""
    return tower


def compiled(tower: GpuTextTower) -> GpuTextTower:
    """Through `torch.compile`, which fuses what stands between products."""
    tower.forward = torch.compile(tower.forward, dynamic=False)  # type: ignore[method-assign]
    return tower


def graphed(tower: GpuTextTower) -> GpuTextTower:
    """As CUDA graphs, one for each shape of pack."""
    plain = tower.forward
    graphs: dict[Any, tuple[Any, Tensor, Tensor]] = {}

    @torch.inference_mode()
    def forward(block: Tensor, shape: tuple[int, int]) -> Tensor:
        key = (len(block), shape)
        if key not in graphs:
            kept = block.clone()
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(2):
                    plain(kept, shape)
            torch.cuda.current_stream().wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                out = plain(kept, shape)
            graphs[key] = graph, kept, out
        graph, kept, out = graphs[key]
        kept.copy_(block)
        graph.replay()
        return out

    tower.forward = forward  # type: ignore[method-assign]
    return tower


LAUNCH: dict[str, Callable[[GpuTextTower], GpuTextTower]] = {
    "eager": as_is,
    "CUDA graphs": graphed,
    "torch.compile": compiled,
}
