"""Fitting image sizes to what an encoder accepts."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from vfm_fusion.datasets.fitting import fit_size
from vfm_fusion.encoders.spec import EncoderSpec


def fit_canvas(size: tuple[int, int], canvas: tuple[int, int], divisor: int) -> tuple[int, int]:
    """Returns the size of :func:`fit_size`, or less where that would exceed a fitted canvas."""
    height, width = (min(pair) for pair in zip(fit_size(*size, divisor), canvas, strict=True))
    return height, width


def padded_to(images: Tensor, canvas: tuple[int, int], mean: tuple[float, float, float]) -> Tensor:
    """Fills ``(B, 3, H, W)`` up to a canvas with one colour, at the bottom and on the right."""
    if tuple(images.shape[-2:]) == tuple(canvas):
        return images
    filled = images.new_tensor(mean)[:, None, None].expand(3, *canvas).repeat(len(images), 1, 1, 1)
    filled[..., : images.shape[-2], : images.shape[-1]] = images
    return filled


def seen_size(spec: EncoderSpec, resolution: int | None, height: int, width: int) -> tuple[int, int]:
    """Returns the size at which an encoder's model sees an image, without padding.

    Args:
        spec: the encoder.
        resolution: side of the square that the model always sees; None for images at their own size.
        height: height of the image, a multiple of ``spec.size_divisor``.
        width: width of the image, likewise.

    Returns:
        (height, width), multiples of ``spec.seen_divisor``. Without a resolution the image's own size, for a
        plain ViT times patch side over stride. With one, the square itself where the spec squashes images,
        and otherwise the size whose longer side is the square's.
    """
    if resolution is None:
        stride = spec.strides[0]
        cell = spec.cell(stride)
        return height // stride * cell, width // stride * cell
    if spec.fixed_fit == "resize":
        return resolution, resolution
    longer = max(height, width)
    return fit_size(
        round(height * resolution / longer), round(width * resolution / longer), spec.seen_divisor
    )


def resize_to(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Resizes images or maps ``(B, C, H, W)`` bilinearly (half-pixel centres, antialiased) where needed.

    It is done in float32, whatever their type: on a CPU torch has no other antialiasing.
    """
    if tuple(images.shape[-2:]) == tuple(size):
        return images
    resized = F.interpolate(images.float(), size=size, mode="bilinear", align_corners=False, antialias=True)
    return resized.to(images.dtype)
