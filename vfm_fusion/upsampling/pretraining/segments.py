"""Regions of like colour, in place of masks that somebody drew (after SLIC, Achanta et al., TPAMI 2012)."""

from __future__ import annotations

import torch
from torch import Tensor

_ROUNDS = 5


def segments(images: Tensor, side: int, compactness: float = 0.3) -> Tensor:
    """Divides images into regions by k-means over colour and place.

    Args:
        images: ``(B, 3, H, W)`` in [0, 1].
        side: side of a region in pixels, about; centres begin on a grid that wide.
        compactness: how much a distance of ``side`` weighs, in units of colour.

    Returns:
        Numbers of regions from 0, ``(B, H, W)``; some may be empty.
    """
    height, width = images.shape[-2:]
    row, column = (
        torch.arange(size, device=images.device) * (compactness / side) for size in (height, width)
    )
    places = torch.stack([row[:, None].expand(-1, width), column.expand(height, -1)])
    pixels = torch.cat([images, places.expand(len(images), -1, -1, -1)], dim=1)  # (B, 5, H, W)
    centres = pixels[..., side // 2 :: side, side // 2 :: side].flatten(2)  # (B, 5, K)
    pixels = pixels.flatten(2)
    for _ in range(_ROUNDS):
        nearest = torch.cdist(pixels.transpose(1, 2), centres.transpose(1, 2)).argmin(2)  # (B, H W)
        means, counts = region_means(pixels, nearest, centres.shape[2])
        centres = torch.where(counts[:, None] > 0, means, centres)
    return nearest.unflatten(1, (height, width))


def region_means(maps: Tensor, regions: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Returns the mean over each region, ``(B, C, count)``, 0 if it is empty, and its pixels, ``(B, count)``.

    Args:
        maps: ``(B, C, N)``.
        regions: their numbers, ``(B, N)``.
        count: of regions.
    """
    index = regions[:, None].expand(-1, maps.shape[1], -1)
    sums = maps.new_zeros(*maps.shape[:2], count).scatter_add_(2, index, maps)
    pixels = maps.new_zeros(len(maps), count).scatter_add_(1, regions, torch.ones_like(maps[:, 0]))
    return sums / pixels.clamp(min=1)[:, None], pixels
