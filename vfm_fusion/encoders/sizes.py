"""Fitting image sizes to what an encoder accepts."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def fit_size(height: int, width: int, divisor: int) -> tuple[int, int]:
    """Returns the nearest size whose sides are positive multiples of ``divisor`` (ties grow)."""
    return _fit(height, divisor), _fit(width, divisor)


def resize_to(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Resizes float images ``(B, C, H, W)`` bilinearly (half-pixel centres, antialiased) where needed."""
    if tuple(images.shape[-2:]) == tuple(size):
        return images
    return F.interpolate(images, size=size, mode="bilinear", align_corners=False, antialias=True)


def _fit(side: int, divisor: int) -> int:
    return max(divisor, (side + divisor // 2) // divisor * divisor)
