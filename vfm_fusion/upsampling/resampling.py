"""What upsamplers share: their guidance, and interpolation of some rows of a result as torch does of all."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from vfm_fusion.encoders.spec import IMAGENET_MEAN, IMAGENET_STD
from vfm_fusion.upsampling.bands import Bands

_CUBIC = -0.75
"""The free constant of the cubic kernel, torch's."""


def resize(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Resizes ``(B, C, h, w)`` to ``(B, C, *size)`` bilinearly, corners aligned, where the size differs."""
    if tuple(maps.shape[-2:]) == tuple(size):
        return maps
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=True)


def resize_banded(maps: Tensor, into: Tensor, bands: Bands) -> None:
    """Writes ``(1, C, h, w)``, resized as :func:`resize` does, to ``(1, C, H, W)`` in bands."""
    height, width = into.shape[-2:]

    def band(start: int, stop: int) -> Tensor:
        rows = bilinear_rows(maps, start, stop, height)
        return F.interpolate(rows, size=(stop - start, width), mode="bilinear", align_corners=True)

    bands(band, height, maps.shape[1] * (3 * maps.shape[3] + width), into)


def imagenet_normalised(images: Tensor) -> Tensor:
    """Normalises images ``(B, 3, H, W)`` in [0, 1] by ImageNet's mean and deviation."""
    mean, std = (images.new_tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    return (images - mean) / std


def resize_guidance(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Resizes images ``(B, 3, H, W)`` to ``(B, 3, *size)``, smoothed where they shrink."""
    if tuple(image.shape[-2:]) == tuple(size):
        return image
    return F.interpolate(image, size=size, mode="bilinear", align_corners=False, antialias=True)


def bicubic_rows(maps: Tensor, start: int, stop: int, height: int) -> Tensor:
    """Returns rows of ``maps`` resized to ``height`` rows bicubically (half-pixel centres).

    Args:
        maps: ``(B, C, h, W)``.
        start: first row of the result, may lie outside it: rows beyond the border mirror those within.
        stop: row behind the last.
        height: rows of the whole result.

    Returns:
        ``(B, C, stop - start, W)``.
    """
    row = torch.arange(start, stop, device=maps.device)
    row = height - 1 - (height - 1 - row.abs()).abs()
    position = (row + 0.5) * (maps.shape[2] / height) - 0.5
    low = position.floor()
    t = position - low
    outer, inner = (1 + t, 2 - t), (t, 1 - t)
    far = [_CUBIC * (((x - 5) * x + 8) * x - 4) for x in outer]
    near = [((_CUBIC + 2) * x - (_CUBIC + 3)) * x * x + 1 for x in inner]
    weights = (far[0], near[0], near[1], far[1])
    return _gathered(maps, low.long(), weights, first=-1)


def bilinear_rows(maps: Tensor, start: int, stop: int, height: int) -> Tensor:
    """Returns rows ``start`` to ``stop - 1`` of ``maps`` resized to ``height`` rows, corners aligned.

    Args:
        maps: ``(B, C, h, W)``.
        start: first row of the result.
        stop: row behind the last.
        height: rows of the whole result.

    Returns:
        ``(B, C, stop - start, W)``.
    """
    scale = (maps.shape[2] - 1) / max(1, height - 1)
    position = torch.arange(start, stop, device=maps.device) * scale
    low = position.floor()
    t = position - low
    return _gathered(maps, low.long(), (1 - t, t), first=0)


def _gathered(maps: Tensor, low: Tensor, weights: tuple[Tensor, ...], first: int) -> Tensor:
    """The sum of the rows ``low + first``, ``low + first + 1``, ... by their weights, each ``(n,)``."""
    total = None
    for offset, weight in enumerate(weights, start=first):
        rows = maps.index_select(2, (low + offset).clamp(0, maps.shape[2] - 1))
        part = rows * weight.to(maps.dtype)[:, None]
        total = part if total is None else total + part
    return total
