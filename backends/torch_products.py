"""Computes linear layers with oneDNN on prepacked weights on a CPU, if PyTorch has it.

In float32 `F.linear` calls MKL, which uses its AVX2 path on processors other than Intel's: an AMD
EPYC (Zen 5) reached 110 GFLOP/s per core that way and 260 through oneDNN. oneDNN also applies the
activation while a block of the result is in the cache.

These are the undocumented operators that `torch.compile` calls, so they are tried once, with
`F.linear` as the fallback if they are missing or compute something else.
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
# The number of rows that a weight's layout is optimized for; others work too.
_ROWS = 1024
_TRIED = {torch.float32: 1e-4, torch.bfloat16: 0.1}

Product = Callable[[Tensor], Tensor]


@cache
def has_onednn(dtype: torch.dtype) -> bool:
    """Whether oneDNN's products pay off here: they exist, agree with `F.linear` (verified) and are
    faster. In float32 that takes AVX-512: on a core with only AVX2, `F.linear` reached 90 GFLOP/s
    and they 77 (AMD EPYC, Zen 3)."""
    onednn: Any = torch.backends.mkldnn
    if dtype not in _TRIED or not onednn.is_available():
        return False
    if dtype is torch.float32 and "AVX512" not in torch.backends.cpu.get_cpu_capability():
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
    # Builds without the operators raise different errors in different versions.
    except (AttributeError, RuntimeError, NotImplementedError, TypeError):
        return False


def _onednn(weight: Tensor, bias: Tensor | None, activation: str) -> Product:
    """As `linear`, with "gelu" (exact), "swish" or "none" applied to the result."""
    operators: Any = torch.ops.mkldnn
    packed = operators._reorder_linear_weight(weight.detach().contiguous(), _ROWS)
    offset = None if bias is None else bias.detach()
    algorithm = "none" if activation == "gelu" else ""

    def product(x: Tensor) -> Tensor:
        out: Tensor = operators._linear_pointwise(x, packed, offset, activation, [], algorithm)
        return out

    return product


def linear(weight: Tensor, bias: Tensor | None, dtype: torch.dtype) -> Product:
    """x [..., k] -> x @ weight.T + bias in a dtype, for a constant weight [n, k]."""
    own, offset = _scaled(weight, dtype), None if bias is None else _scaled(bias, dtype)
    if _runs_onednn(own):
        return _onednn(own, offset, "none")
    return lambda x: F.linear(x, own, offset)


def mlp(up: nn.Linear, activation: nn.Module, down: nn.Linear, dtype: torch.dtype) -> Product:
    """down(activation(up(x))), with the activation fused into the first product if it can be.

    QuickGELU is computed as SiLU of scaled weights: one pass over the hidden states, not three.
    """
    quick = type(activation) is QuickGELU
    exact = type(activation) is nn.GELU and activation.approximate == "none"
    scale = QUICK if quick else 1.0
    weight = _scaled(up.weight, dtype, scale)
    bias = None if up.bias is None else _scaled(up.bias, dtype, scale)
    last = linear(_scaled(down.weight, down.weight.dtype, 1 / scale), down.bias, dtype)
    if _runs_onednn(weight) and (quick or exact):
        product = _onednn(weight, bias, "swish" if quick else "gelu")
        return lambda x: last(product(x))
    applied = F.silu if quick else activation
    return lambda x: last(applied(F.linear(x, weight, bias)))


def _runs_onednn(weight: Tensor) -> bool:
    return weight.device.type == "cpu" and has_onednn(weight.dtype)


def _scaled(values: Tensor, dtype: torch.dtype, scale: float = 1.0) -> Tensor:
    values = values.detach()
    return (values if scale == 1.0 else values * scale).to(dtype)
