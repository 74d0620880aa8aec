"""Operations of a forward pass, counted as it runs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

Shape = tuple[int, ...]

_BILINEAR = 8
"""Operations of a bilinear sample: four values, each multiplied by its weight and added up."""


def count_flops(model: nn.Module, images: Tensor) -> dict[str, int]:
    """Counts the floating-point operations of ``model(images)``, two for a multiplication with its addition.

    Counted are matrix products, convolutions, attention (``QK^T`` and the product with V) and bilinear
    sampling at given points, which is what deformable attention does. Left out is what costs little beside
    them: element-wise operations, norms, softmax, the weighting of sampled values, resizing of maps.
    torch's own counter lacks the attention kernel of the CPU and the sampling.

    Args:
        model: any module.
        images: its input.

    Returns:
        Child module -> operations, and their sum under ``total``.
    """
    with torch.no_grad(), _counter() as counter:
        model(images)
    name = type(model).__name__
    counts = counter.get_flop_counts()
    parts = {child: sum(counts.get(f"{name}.{child}", {}).values()) for child, _ in model.named_children()}
    return {"total": counter.get_total_flops(), **parts}


def count_step_flops(step: Callable[[], object]) -> int:
    """Counts the operations of ``step()``, its backward passes included, as :func:`count_flops` does.

    A backward pass costs about twice its forward pass; what is frozen in front of all that trains has none.
    """
    with _counter() as counter:
        step()
    return counter.get_total_flops()


def _counter() -> FlopCounterMode:
    aten = torch.ops.aten
    extra = {
        aten._scaled_dot_product_flash_attention_for_cpu: _attention_flop,
        aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward_flop,
        aten.grid_sampler_2d: _sampling_flop,
        aten.grid_sampler_2d_backward: _sampling_backward_flop,
    }
    return FlopCounterMode(display=False, custom_mapping=extra)


def _attention_flop(query: Shape, key: Shape, value: Shape, *_: Any, **__: Any) -> int:
    """Attends with queries ``(B, heads, queries, D)`` to keys and values."""
    return sdpa_flop_count(query, key, value)


def _sampling_flop(*_: Any, out_shape: Shape, **__: Any) -> int:
    """Samples ``(B, C, points)``."""
    return _BILINEAR * math.prod(out_shape)


def _attention_backward_flop(
    gradient: Shape, query: Shape, key: Shape, value: Shape, *_: Any, **__: Any
) -> int:
    return sdpa_backward_flop_count(gradient, query, key, value)


def _sampling_backward_flop(gradient: Shape, *_: Any, **__: Any) -> int:
    """Gives each value back to its four cells, and the slope at its point."""
    return 2 * _BILINEAR * math.prod(gradient)
