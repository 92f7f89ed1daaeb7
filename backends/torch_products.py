"""Linear layers on a processor: oneDNN's products on prepared weights, where PyTorch has them.

In float32 `F.linear` asks MKL, which takes the AVX2 path on processors that are not Intel's: an
AMD EPYC (Zen 5) multiplied at 110 GFLOP/s a core that way and at 260 through oneDNN. oneDNN
applies the activation while a block of the result is in the cache, too.

The operators are those that `torch.compile` calls. PyTorch documents neither, so they are tried
once, and `F.linear` does the work where they are missing or compute something else.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from open_clip.transformer import QuickGELU
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

# QuickGELU is x * sigmoid(QUICK * x), which is silu(QUICK * x) / QUICK.
QUICK = 1.702
# Rows that a weight's layout is chosen for; any other number is computed as well.
_ROWS = 1024
_TRIED = {torch.float32: 1e-4, torch.bfloat16: 0.1}

Product = Callable[[Tensor], Tensor]


@cache
def has_onednn(dtype: torch.dtype) -> bool:
    """Whether oneDNN's products exist here and give what `F.linear` gives; tried, not assumed."""
    onednn: Any = torch.backends.mkldnn
    if dtype not in _TRIED or not onednn.is_available():
        return False
    try:
        if dtype is torch.bfloat16 and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
            return False
        made = torch.Generator().manual_seed(0)
        x, weight = (torch.randn(48, 64, generator=made).to(dtype) for _ in range(2))
        bias = torch.randn(48, generator=made).to(dtype)
        with torch.inference_mode():
            plain = F.linear(x, weight, bias)
            pairs = (("none", plain), ("gelu", F.gelu(plain)), ("swish", F.silu(plain)))
            return all(
                torch.allclose(_onednn(weight, bias, kind)(x), expected, atol=_TRIED[dtype])
                for kind, expected in pairs
            )
    # What a build without the operators raises differs from version to version.
    except (AttributeError, RuntimeError, NotImplementedError, TypeError):
        return False


def _onednn(weight: Tensor, bias: Tensor | None, activation: str) -> Product:
    operators: Any = torch.ops.mkldnn
    packed = operators._reorder_linear_weight(weight.detach().contiguous(), _ROWS)
    offset = None if bias is None else bias.detach()
    algorithm = "none" if activation == "gelu" else ""

    def product(x: Tensor) -> Tensor:
        out: Tensor = operators._linear_pointwise(x, packed, offset, activation, [], algorithm)
        return out

    return product


def linear(weight: Tensor, bias: Tensor | None) -> Product:
    """x [..., k] -> x @ weight.T + bias, for a weight [n, k] that does not change any more."""
    if has_onednn(weight.dtype):
        return _onednn(weight, bias, "none")
    return lambda x: F.linear(x, weight, bias)


def mlp(up: nn.Linear, activation: nn.Module, down: nn.Linear) -> Product:
    """down(activation(up(x))), with the activation fused into the first product if it can be."""
    dtype = up.weight.dtype
    if has_onednn(dtype):
        if type(activation) is nn.GELU and activation.approximate == "none":
            return _after(_onednn(up.weight, up.bias, "gelu"), linear(down.weight, down.bias))
        # bfloat16 weights would be rounded a second time.
        if type(activation) is QuickGELU and dtype is torch.float32 and up.bias is not None:
            first = _onednn(up.weight.detach() * QUICK, up.bias.detach() * QUICK, "swish")
            return _after(first, linear(down.weight.detach() / QUICK, down.bias))
    first, last = linear(up.weight, up.bias), linear(down.weight, down.bias)
    return lambda x: last(activation(first(x)))


def _after(first: Product, last: Product) -> Product:
    return lambda x: last(first(x))
