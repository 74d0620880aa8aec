"""Training-time augmentation of an image with its label maps."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from vfm_fusion.config.augmentation import AugmentationConfig
from vfm_fusion.datasets.base import VOID

_PAD_GREY = 128


@dataclass(frozen=True)
class LabelledImage:
    """An image with its label maps.

    Attributes:
        image: ``(H, W, 3)`` uint8 RGB.
        semantic: ``(H, W)`` uint8 train ids, 255 void.
        instances: layers of ``(H, W)`` int32 object numbers, 0 none, front first; as many as objects lie over
            one another, none without objects.
    """

    image: np.ndarray
    semantic: np.ndarray
    instances: tuple[np.ndarray, ...]


def augment(sample: LabelledImage, config: AugmentationConfig, rng: np.random.Generator) -> LabelledImage:
    """Scales, crops (padding with void), flips and recolours, in this order.

    Args:
        sample: image and labels.
        config: which augmentations.
        rng: source of all randomness; always drawn from in the same order.

    Returns:
        Image and labels of ``config.crop`` size.
    """
    sample = rescale(sample, rng.uniform(*config.scales))
    sample = crop_or_pad(sample, config.crop, rng)
    if config.flip and rng.random() < 0.5:
        sample = _map(sample, lambda array: np.ascontiguousarray(array[:, ::-1]))
    if config.color:
        sample = LabelledImage(jitter_color(sample.image, rng), sample.semantic, sample.instances)
    return sample


def rescale(sample: LabelledImage, factor: float) -> LabelledImage:
    """Resizes by ``factor``: the image bilinearly (by area when shrinking), labels by nearest neighbour."""
    height, width = (max(1, round(side * factor)) for side in sample.semantic.shape)
    smooth = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR

    def nearest(labels: np.ndarray) -> np.ndarray:
        return cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)

    image = cv2.resize(sample.image, (width, height), interpolation=smooth)
    return LabelledImage(image, nearest(sample.semantic), tuple(map(nearest, sample.instances)))


def crop_or_pad(sample: LabelledImage, size: tuple[int, int], rng: np.random.Generator) -> LabelledImage:
    """Cuts a random window of ``size`` (H, W); what sticks out is grey, its labels void."""
    height, width = sample.semantic.shape
    top = int(rng.integers(0, max(0, height - size[0]) + 1))
    left = int(rng.integers(0, max(0, width - size[1]) + 1))

    def cut(array: np.ndarray, fill: int) -> np.ndarray:
        window = array[top : top + size[0], left : left + size[1]]
        if window.shape[:2] == tuple(size):
            return window
        padded = np.full((*size, *array.shape[2:]), fill, array.dtype)
        padded[: window.shape[0], : window.shape[1]] = window
        return padded

    layers = tuple(cut(layer, 0) for layer in sample.instances)
    return LabelledImage(cut(sample.image, _PAD_GREY), cut(sample.semantic, VOID), layers)


def jitter_color(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shifts brightness by up to 32/255 and scales contrast and saturation by 0.5 to 1.5, as SSD does."""
    brightness = rng.uniform(-32, 32)
    contrast, saturation = rng.uniform(0.5, 1.5, size=2)
    pixels = image.astype(np.float32) * np.float32(contrast) + np.float32(brightness)
    grey = pixels @ np.array([0.299, 0.587, 0.114], np.float32)  # (H, W, 3) -> (H, W)
    pixels = grey[..., None] + np.float32(saturation) * (pixels - grey[..., None])
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


def _map(sample: LabelledImage, function) -> LabelledImage:
    layers = tuple(map(function, sample.instances))
    return LabelledImage(function(sample.image), function(sample.semantic), layers)
