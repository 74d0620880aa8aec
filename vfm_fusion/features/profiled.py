"""Images and labels as they are profiled: what encoders are given, and what their maps are compared with."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vfm_fusion.config.image_size import ImageSize
from vfm_fusion.datasets.fitting import fit_image
from vfm_fusion.encoders.sizes import resize_to


def image_tensor(image: np.ndarray) -> Tensor:
    """Turns an image ``(H, W, 3)`` uint8 into ``(1, 3, H, W)`` float32 in [0, 1]."""
    return torch.tensor(image).permute(2, 0, 1)[None].float().div_(255)


def profiled_image(image: np.ndarray, setting: ImageSize | None) -> Tensor:
    """Brings an image to the size at which it is profiled, without padding.

    Args:
        image: ``(H, W, 3)`` uint8.
        setting: ``features.image_size``.

    Returns:
        ``(1, 3, H', W')`` float32 in [0, 1].
    """
    fit = fit_image(*image.shape[:2], setting)
    pixels = image_tensor(fit.cut(image))
    if tuple(pixels.shape[-2:]) == fit.size:
        return pixels
    return resize_to(pixels, fit.size).clamp_(0, 1)  # antialiasing rounds


def profiled_pixels(image: np.ndarray, setting: ImageSize | None) -> np.ndarray:
    """Returns what :func:`profiled_image` does as ``(H', W', 3)`` uint8, to look at."""
    pixels = profiled_image(image, setting)[0].permute(1, 2, 0)
    return pixels.mul(255).round_().to(torch.uint8).numpy()


def profiled_labels(labels: np.ndarray, setting: ImageSize | None) -> np.ndarray:
    """Cuts ``(H, W)`` labels to the part of their image that is profiled, at their own resolution."""
    return fit_image(*labels.shape, setting).cut(labels)
