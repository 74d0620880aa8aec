"""Sobel gradients."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def sobel(planes: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the Sobel gradients gx and gy of planes.

    gx correlates a plane with [1 0 -1; 2 0 -2; 1 0 -1] / 4, gy with its transpose; the border is replicated
    by one pixel.

    Args:
        planes: ``(..., H, W)`` floating point.

    Returns:
        Two tensors of the same shape and type.
    """
    *batch, height, width = planes.shape
    padded = F.pad(planes.reshape(1, -1, height, width), (1, 1, 1, 1), mode="replicate")[0]
    padded = padded.view(*batch, height + 2, width + 2)
    smooth_y = padded[..., :-2, :] + 2 * padded[..., 1:-1, :] + padded[..., 2:, :]  # (..., H, W + 2)
    smooth_x = padded[..., :-2] + 2 * padded[..., 1:-1] + padded[..., 2:]  # (..., H + 2, W)
    gx = (smooth_y[..., :-2] - smooth_y[..., 2:]) / 4
    gy = (smooth_x[..., :-2, :] - smooth_x[..., 2:, :]) / 4
    return gx, gy


def sobel_magnitude(plane: Tensor) -> Tensor:
    """Returns the Sobel gradient magnitude sqrt(gx^2 + gy^2) of ``(..., H, W)``."""
    gx, gy = sobel(plane)
    return (gx.square() + gy.square()).sqrt()


def interior(plane: Tensor) -> Tensor:
    """Returns a view of the valid region: everything but a border of one pixel, ``(H - 2, W - 2)``."""
    return plane[1:-1, 1:-1]
