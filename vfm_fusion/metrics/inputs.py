"""Checks and conversion of what the metrics are given."""

from __future__ import annotations

import torch
from torch import Tensor

from vfm_fusion.errors import ShapeError


def check_features(features: Tensor) -> None:
    """Checks features ``(B, C, H, W)``.

    Raises:
        ShapeError: not four axes, an empty axis, or not a floating-point type.
    """
    if features.ndim != 4 or 0 in features.shape:
        raise ShapeError(f"features must be (B, C, H, W) without empty axes, got {tuple(features.shape)}")
    check_map(features[0])


def check_map(features: Tensor) -> None:
    """Checks the features ``(C, H, W)`` of one image.

    Raises:
        ShapeError: not three axes, an empty axis, or not a floating-point type.
    """
    if features.ndim != 3 or 0 in features.shape:
        raise ShapeError(f"features must be (C, H, W) without empty axes, got {tuple(features.shape)}")
    if not features.is_floating_point():
        raise ShapeError(f"features must be floating point, got {features.dtype}; convert them first")


def check_images(images: Tensor, batch: int) -> None:
    """Checks images ``(B, 3, H0, W0)``, uint8 in [0, 255] or floating point in [0, 1].

    The range follows from the dtype; it is never guessed from the values.

    Raises:
        ShapeError: another shape, a batch that is not ``batch``, another dtype, or a float value that is
            NaN or outside [0, 1].
    """
    if images.ndim != 4 or images.shape[1] != 3 or 0 in images.shape:
        raise ShapeError(f"images must be (B, 3, H0, W0) RGB, got {tuple(images.shape)}")
    if images.shape[0] != batch:
        raise ShapeError(f"{batch} feature maps but {images.shape[0]} images; pass one image per feature map")
    if images.dtype == torch.uint8:
        return
    if not images.is_floating_point():
        raise ShapeError(f"images must be uint8 or floating point in [0, 1], got {images.dtype}")
    low, high = (float(bound) for bound in torch.aminmax(images.float()))
    if not (low >= 0.0 and high <= 1.0):
        raise ShapeError(
            f"floating-point images must lie in [0, 1], got [{low:g}, {high:g}]; rescale them or pass uint8"
        )


def unit_range(image: Tensor, device: torch.device | None = None) -> Tensor:
    """Returns one checked image as ``(1, 3, H0, W0)`` float32 in [0, 1], contiguous, on ``device``."""
    image = image.detach().to(device).contiguous()
    return image.float().div_(255.0) if image.dtype == torch.uint8 else image.float()
