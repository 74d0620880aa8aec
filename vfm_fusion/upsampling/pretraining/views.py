"""The images of a step at several sizes, and a frozen encoder's maps of them."""

from __future__ import annotations

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vfm_fusion.encoders.base import Encoder
from vfm_fusion.upsampling.resampling import resize_guidance


class Views:
    """Images of a step.

    Attributes:
        images: ``(B, 3, S, S)`` in [0, 1].
        unit: the sides of images that the encoder takes are multiples of it.
    """

    def __init__(self, encoder: Encoder, stride: int, images: Tensor) -> None:
        self.encoder, self.stride, self.images = encoder, stride, images
        self.unit = encoder.spec.size_divisor

    @property
    def side(self) -> int:
        """S, in pixels."""
        return self.images.shape[-1]

    def maps(self, images: Tensor) -> Tensor:
        """Returns the maps ``(B, C, s / stride, s / stride)`` of images ``(B, 3, s, s)`` in [0, 1]."""
        with torch.no_grad():
            return self.encoder(images, strides=(self.stride,))[self.stride]

    def fitted(self, side: float) -> int:
        """Returns the multiple of :attr:`unit` next to ``side``, one at least."""
        return max(1, round(side / self.unit)) * self.unit

    def resized(self, side: int) -> Tensor:
        """Returns the images at another size, ``(B, 3, side, side)``, smoothed where they shrink."""
        return resize_guidance(self.images, (side, side))

    def thinned(self, step: int) -> Tensor:
        """Returns every so many pixels of the images, unsmoothed."""
        return self.images[..., ::step, ::step]


def disturbed(images: Tensor) -> Tensor:
    """Blurs images and adds noise, both by an amount that is drawn for the step."""
    blurred = F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="reflect"), 3, stride=1)
    share, noise = torch.rand((), device=images.device), 0.1 * torch.rand((), device=images.device)
    return images + share * (blurred - images) + noise * torch.randn_like(images)


def draw_crop(
    image: np.ndarray, side: int, shares: tuple[float, float], rng: np.random.Generator
) -> np.ndarray:
    """Draws a square of an image, mirrored or not.

    Args:
        image: ``(H, W, 3)`` uint8.
        side: of the result, in pixels.
        shares: smallest and largest side of what it shows, over the image's shorter side.
        rng: drawn from four times.

    Returns:
        ``(3, side, side)`` uint8.
    """
    height, width = image.shape[:2]
    size = max(1, round(min(height, width) * rng.uniform(*shares)))
    top, left = int(rng.integers(height - size + 1)), int(rng.integers(width - size + 1))
    how = cv2.INTER_AREA if size > side else cv2.INTER_LINEAR
    crop = cv2.resize(image[top : top + size, left : left + size], (side, side), interpolation=how)
    if rng.random() < 0.5:
        crop = crop[:, ::-1]
    return np.ascontiguousarray(crop.transpose(2, 0, 1))
