"""Sobel gradients."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def sobel_magnitude(plane: Tensor) -> Tensor:
    """Returns the Sobel gradient magnitude sqrt(gx^2 + gy^2).

    gx correlates the map with [1 0 -1; 2 0 -2; 1 0 -1] / 4, gy with its transpose; the border is replicated
    by one pixel.

    Args:
        plane: ``(H, W)`` floating point.

    Returns:
        ``(H, W)`` of the same type.
    """
    padded = F.pad(plane[None, None], (1, 1, 1, 1), mode="replicate")[0, 0]  # (H + 2, W + 2)
    smooth_y = padded[:-2] + 2 * padded[1:-1] + padded[2:]  # (H, W + 2)
    smooth_x = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]  # (H + 2, W)
    gx = (smooth_y[:, :-2] - smooth_y[:, 2:]) / 4
    gy = (smooth_x[:-2] - smooth_x[2:]) / 4
    return (gx.square() + gy.square()).sqrt()


def interior(plane: Tensor) -> Tensor:
    """Returns a view of the valid region: everything but a border of one pixel, ``(H - 2, W - 2)``."""
    return plane[1:-1, 1:-1]
