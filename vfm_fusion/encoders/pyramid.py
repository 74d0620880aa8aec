"""The four-stride pyramid, derived from an encoder's native maps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from vfm_fusion.config.base import STRIDES

Interpolation = Literal["nearest", "bilinear"]


def nearest_stride(native: Sequence[int], stride: int) -> int:
    """Returns the native stride nearest to ``stride`` in octaves; the finer one when two are equally near."""
    return min(native, key=lambda s: (abs(math.log2(s / stride)), s))


def derive_pyramid(
    native: dict[int, Tensor],
    strides: Sequence[int] = STRIDES,
    interpolation: Interpolation = "nearest",
) -> dict[int, Tensor]:
    """Derives maps at ``strides`` from native ones.

    A native stride is passed on as it is. Any other is resized from the nearest native stride, as the
    released code does for plain ViTs (paper, Sec. 4.1: single-scale features are resampled to the four-level
    pyramid).

    Args:
        native: ``{stride: (B, C, H/stride, W/stride)}``.
        strides: output strides wanted.
        interpolation: ``nearest`` (released code) or ``bilinear`` (half-pixel centres, antialiased when
            shrinking).

    Returns:
        ``{stride: (B, C, H/stride, W/stride)}`` in the order of ``strides``.
    """
    pyramid: dict[int, Tensor] = {}
    for stride in strides:
        source = stride if stride in native else nearest_stride(sorted(native), stride)
        feature = native[source]
        if source != stride:
            size = tuple(side * source // stride for side in feature.shape[-2:])
            if interpolation == "nearest":
                feature = _nearest(feature, size)
            else:
                feature = F.interpolate(
                    feature, size=size, mode="bilinear", align_corners=False, antialias=stride > source
                )
        pyramid[stride] = feature  # (B, C, H/stride, W/stride)
    return pyramid


def _nearest(feature: Tensor, size: tuple[int, ...]) -> Tensor:
    """Resizes by nearest neighbour (half-pixel centres); by slicing where that takes every n-th pixel."""
    steps = [side // shrunk for side, shrunk in zip(feature.shape[-2:], size, strict=True)]
    if [shrunk * step for shrunk, step in zip(size, steps, strict=True)] != list(feature.shape[-2:]):
        return F.interpolate(feature, size=size, mode="nearest-exact")
    down, across = steps
    return feature[..., down // 2 :: down, across // 2 :: across]
