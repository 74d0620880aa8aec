"""Training-time augmentation of an image with its label maps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from vfm_fusion.config.augmentation import AugmentationConfig, JitterScale
from vfm_fusion.datasets.base import VOID
from vfm_fusion.training.color import distort_color, jitter_color
from vfm_fusion.training.rescale import Resizing, Size, Window, draw_size

_PAD_GREY = 128
_ATTEMPTS = 10  # windows drawn for the rule of the single category


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
    """Scales, crops (padding with grey and void), flips and recolours, in this order.

    Padding lies below and on the right, and on the left of a flipped image. ``ssd`` leaves it grey.

    Args:
        sample: image and labels.
        config: which augmentations.
        rng: source of all randomness; always drawn from in the same order.

    Returns:
        Image and labels of ``config.crop`` size.
    """
    old = sample.semantic.shape
    resizing = Resizing(old, draw_size(old, config, rng))
    window = draw_window(sample.semantic, resizing, config, rng)
    cropped = _crop(sample, resizing, window, config.crop)
    shown = _length(window[0]), _length(window[1])
    content = np.s_[: shown[0], : shown[1]]
    if config.flip and rng.random() < 0.5:
        cropped = _map(cropped, lambda array: cv2.flip(array, 1))
        content = np.s_[: shown[0], config.crop[1] - shown[1] :]
    if config.color == "simple":
        return replace(cropped, image=jitter_color(cropped.image, rng))
    if config.color == "ssd":
        cropped.image[content] = distort_color(np.ascontiguousarray(cropped.image[content]), rng)
    return cropped


def draw_window(
    semantic: np.ndarray, resizing: Resizing, config: AugmentationConfig, rng: np.random.Generator
) -> Window:
    """Draws which part of the resized image is kept, of ``config.crop`` size or less where it is smaller.

    After large-scale jitter the window lies as far down as it lies to the right, in parts of the way, as in
    the recipes that have it.

    Args:
        semantic: ``(H, W)`` uint8 train ids of the image before it is resized.
        resizing: its old and new size.
        config: crop, and the largest share of one category.
        rng: drawn from once for every window tried.
    """
    if config.single_category_max_area == 1:
        return _place(resizing.new, config, rng)
    for _ in range(_ATTEMPTS):
        window = _place(resizing.new, config, rng)
        if is_mixed(resizing.labels(semantic, window), config.single_category_max_area):
            break
    return window


def is_mixed(semantic: np.ndarray, max_area: float) -> bool:
    """Says whether labels show several classes, each on less than ``max_area`` of what is not void."""
    counts = np.bincount(semantic.ravel(), minlength=VOID + 1)[:VOID]
    return np.count_nonzero(counts) > 1 and bool(counts.max() < counts.sum() * max_area)


def _place(size: Size, config: AugmentationConfig, rng: np.random.Generator) -> Window:
    room = [max(0, side - kept) for side, kept in zip(size, config.crop, strict=True)]
    if isinstance(config.scale, JitterScale):
        part = rng.random()
        top, left = (round(free * part) for free in room)
    else:
        top, left = (int(rng.integers(0, free + 1)) for free in room)
    bottom, right = min(size[0], top + config.crop[0]), min(size[1], left + config.crop[1])
    return slice(top, bottom), slice(left, right)


def _crop(sample: LabelledImage, resizing: Resizing, window: Window, size: Size) -> LabelledImage:
    image = _pad(resizing.image(sample.image, window), size, _PAD_GREY)
    semantic = _pad(resizing.labels(sample.semantic, window), size, VOID)
    layers = tuple(_pad(resizing.labels(layer, window), size, 0) for layer in sample.instances)
    return LabelledImage(image, semantic, layers)


def _pad(array: np.ndarray, size: Size, fill: int) -> np.ndarray:
    """Copies ``(h, w, ...)`` into the top left corner of a new ``(H, W, ...)`` array."""
    padded = np.full((*size, *array.shape[2:]), fill, array.dtype)
    padded[: array.shape[0], : array.shape[1]] = array
    return padded


def _map(sample: LabelledImage, function: Callable[[np.ndarray], np.ndarray]) -> LabelledImage:
    return LabelledImage(
        function(sample.image), function(sample.semantic), tuple(map(function, sample.instances))
    )


def _length(part: slice) -> int:
    return part.stop - part.start
