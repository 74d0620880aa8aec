"""Random sizes of a training image, and resizing to them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from vfm_fusion.config.augmentation import AugmentationConfig, JitterScale, ShortSideScale

Size = tuple[int, int]
Window = tuple[slice, slice]
"""Rows and columns of a resized image."""


def draw_size(size: Size, config: AugmentationConfig, rng: np.random.Generator) -> Size:
    """Draws the size (H, W) that an image of ``size`` is resized to before it is cropped; at least 1 x 1."""
    if isinstance(config.scale, ShortSideScale):
        lengths = config.scale.lengths
        return short_side_size(size, lengths[int(rng.integers(len(lengths)))], config.scale.max_side)
    factor = rng.uniform(*config.scale.range)
    if isinstance(config.scale, JitterScale):
        factor = min(side * factor / old for side, old in zip(config.crop, size, strict=True))
    return _positive(round(side * factor) for side in size)


def short_side_size(size: Size, length: int, max_side: int) -> Size:
    """The size whose shorter side is ``length``, or less where the longer one would exceed ``max_side``."""
    factor = length / min(size)
    sides = [length if side == min(size) else side * factor for side in size]
    shrink = min(1.0, max_side / max(sides))
    return _positive(int(side * shrink + 0.5) for side in sides)


@dataclass(frozen=True)
class Resizing:
    """Resizes an image and its label maps.

    Attributes:
        old: (H, W) of the image.
        new: (H', W') of the resized one.
    """

    old: Size
    new: Size

    def image(self, image: np.ndarray, window: Window) -> np.ndarray:
        """Resizes ``(H, W, 3)`` uint8 bilinearly (by area when shrinking) and cuts ``window`` out of it.

        The whole image is resized: OpenCV takes no fractional origin, and a window's pixels would not be
        those of the whole.
        """
        if self.new == self.old:
            return image[window]
        shrinks = any(new < old for new, old in zip(self.new, self.old, strict=True))
        smooth = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return cv2.resize(image, self.new[::-1], interpolation=smooth)[window]

    def labels(self, labels: np.ndarray, window: Window) -> np.ndarray:
        """Resizes ``(H, W)`` by nearest neighbour; reads only what ``window`` shows of it."""
        rows, columns = (places[part] for places, part in zip(self._nearest, window, strict=True))
        return labels.take(rows, axis=0, mode="clip").take(columns, axis=1, mode="clip")

    @cached_property
    def _nearest(self) -> tuple[np.ndarray, np.ndarray]:
        """For each row and each column of the resized image, the one that it is taken from."""
        return nearest(self.old[0], self.new[0]), nearest(self.old[1], self.new[1])


def nearest(old: int, new: int) -> np.ndarray:
    """For each of ``new`` pixels in a line, the one of ``old`` that it is taken from: ``(new,)`` int32."""
    places = np.arange(old, dtype=np.int32)[None]
    return cv2.resize(places, (new, 1), interpolation=cv2.INTER_NEAREST_EXACT)[0]


def _positive(sides: Iterable[int]) -> Size:
    height, width = (max(1, side) for side in sides)
    return height, width
