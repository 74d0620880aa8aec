"""Image edges at the resolution of a feature map, and the regions around them (paper, Sec. 3.2.2)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from vfm_fusion.config.metrics import MetricConfig
from vfm_fusion.metrics import reasons
from vfm_fusion.metrics.sobel import interior, sobel_magnitude

GRADIENT_TOLERANCE = 1e-6
"""A gradient up to this (on its 0-1 scale) is flat; maxima are compared with the same tolerance."""


@dataclass(frozen=True)
class EdgeRegions:
    """Gradient and edges of one image at feature resolution; every mask is ``(H, W)`` bool.

    Attributes:
        gradient: the image's gradient, ``(H, W)`` float32 in [0, 1].
        edges: the pixels with the strongest image gradient.
        centreline: the edge pixels that are local maxima.
        core: A_in, the centreline dilated by r_in, valid pixels only.
        near: A_near, the band between the dilations by r_in and r_out, valid pixels only.
    """

    gradient: Tensor
    edges: Tensor
    centreline: Tensor
    core: Tensor
    near: Tensor


def luma(image: Tensor, size: tuple[int, int], antialias: bool = False) -> Tensor:
    """Returns the relative luminance of an image resized to a feature grid.

    Bilinear resize (half-pixel centres) of the sRGB values, then sRGB to linear (IEC 61966-2-1:
    x / 12.92 for x <= .04045, else ((x + .055) / 1.055)^2.4), then
    Y = .2126 R + .7152 G + .0722 B (ITU-R BT.709).

    Args:
        image: ``(1, 3, H0, W0)`` float32 in [0, 1].
        size: (H, W) of the feature map.
        antialias: whether shrinking low-passes the image first.

    Returns:
        ``(H, W)`` float32 in [0, 1].
    """
    resized = _shrunk(image, size, antialias)  # (1, 3, H0, W0) -> (1, 3, H, W)
    linear = torch.where(resized <= 0.04045, resized / 12.92, ((resized + 0.055) / 1.055) ** 2.4)
    red, green, blue = linear[0]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue  # (1, 3, H, W) -> (H, W)


def _shrunk(image: Tensor, size: tuple[int, int], antialias: bool) -> Tensor:
    """Bilinear resize; where the factor is even, that is the mean of four pixels."""
    steps = [side // shrunk for side, shrunk in zip(image.shape[-2:], size, strict=True)]
    covered = [shrunk * step for shrunk, step in zip(size, steps, strict=True)]
    if antialias or any(step == 0 or step % 2 for step in steps) or covered != list(image.shape[-2:]):
        return F.interpolate(image, size=size, mode="bilinear", align_corners=False, antialias=antialias)
    down, across = steps
    upper, lower = image[..., down // 2 - 1 :: down, :], image[..., down // 2 :: down, :]
    left, right = slice(across // 2 - 1, None, across), slice(across // 2, None, across)
    return ((upper[..., left] + upper[..., right]) + (lower[..., left] + lower[..., right])) / 4


def image_gradient(luminance: Tensor) -> Tensor | None:
    """Returns the Sobel magnitude of the luminance ``(H, W)`` on a 0-1 scale; see :func:`unit_gradient`."""
    return unit_gradient(sobel_magnitude(luminance))


def unit_gradient(gradient: Tensor) -> Tensor | None:
    """Returns a gradient magnitude on a 0-1 scale.

    (g - min) / (max - min) with the extrema over the valid region (all but a border of one pixel), clamped to
    [0, 1] on the border.

    Args:
        gradient: ``(H, W)`` float32, at least 3 x 3.

    Returns:
        ``(H, W)`` float32 in [0, 1], or None when the gradient varies by no more than 1e-6.
    """
    low, high = torch.aminmax(interior(gradient))
    if float(high - low) <= GRADIENT_TOLERANCE:
        return None
    return ((gradient - low) / (high - low)).clamp_(0.0, 1.0)


def edge_mask(gradient: Tensor, quantile: float) -> Tensor:
    """Returns the pixels with the strongest gradient.

    The top ceil(quantile * n_valid) of the valid region. Pixels that tie with the last of them count too, and
    flat ones (gradient <= 1e-6) never do, so the mask does not depend on the order of pixels.

    Args:
        gradient: ``(H, W)`` in [0, 1].
        quantile: share of the valid pixels, in (0, 1).

    Returns:
        ``(H, W)`` bool.
    """
    valid = interior(gradient)
    count = math.ceil(quantile * valid.numel())
    threshold = torch.topk(valid.flatten(), count).values[-1]
    mask = torch.zeros_like(gradient, dtype=torch.bool)
    interior(mask).copy_((valid >= threshold) & (valid > GRADIENT_TOLERANCE))
    return mask


def centreline(gradient: Tensor, edges: Tensor) -> Tensor:
    """Returns the edge pixels within 1e-6 of the maximum of their 3 x 3 neighbourhood, ``(H, W)`` bool."""
    peak = F.max_pool2d(gradient[None, None], 3, stride=1, padding=1)[0, 0]
    return edges & (gradient >= peak - GRADIENT_TOLERANCE)


def dilate(mask: Tensor, radius: int) -> Tensor:
    """Returns a mask dilated by a square of side 2 * radius + 1, ``(H, W)`` bool."""
    side = 2 * radius + 1
    rows = F.max_pool2d(mask[None, None].float(), (side, 1), stride=1, padding=(radius, 0))
    return F.max_pool2d(rows, (1, side), stride=1, padding=(0, radius))[0, 0] > 0


def edge_regions(image: Tensor, size: tuple[int, int], config: MetricConfig) -> EdgeRegions | str:
    """Finds the edges of an image and the regions in which feature gradients are counted.

    Args:
        image: ``(1, 3, H0, W0)`` float32 in [0, 1].
        size: (H, W) of the feature map.
        config: ``edge_quantile``, ``antialias``, ``r_in`` and ``r_out`` are read.

    Returns:
        The regions, or the reason why there are none.
    """
    if min(size) < 3:
        return reasons.TOO_FEW_PIXELS
    gradient = image_gradient(luma(image, size, config.antialias))
    if gradient is None:
        return reasons.NO_EDGES
    edges = edge_mask(gradient, config.edge_quantile)
    line = centreline(gradient, edges)
    valid = torch.zeros_like(line)
    interior(valid).fill_(True)
    inner = dilate(line, config.r_in)
    outer = dilate(line, config.r_out)
    return EdgeRegions(
        gradient=gradient,
        edges=edges,
        centreline=line,
        core=inner & valid,
        near=outer & ~inner & valid,
    )
