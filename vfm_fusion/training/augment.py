"""Training-time augmentation of an image with its label maps: random sizes, crops, flips and colours."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import cv2
import numpy as np

from vfm_fusion.config.augmentation import AugmentationConfig, JitterScale, ShortSideScale
from vfm_fusion.datasets.base import VOID
from vfm_fusion.training.color import distort_color, jitter_color

Size = tuple[int, int]
Window = tuple[slice, slice]
"""Rows and columns of a resized image."""

_PAD_GREY = 128
_ATTEMPTS = 10  # windows drawn until one is accepted


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


class Labels(NamedTuple):
    """The label maps of an image or of a part of it.

    Attributes:
        semantic: ``(h, w)`` uint8 train ids, 255 void.
        instances: layers of ``(h, w)`` int32 object numbers, see :class:`LabelledImage`.
    """

    semantic: np.ndarray
    instances: tuple[np.ndarray, ...]


Accept = Callable[[Labels], bool]
"""Says whether a window may be trained on: whether it shows a rare class, or the object that is asked for."""


def augment(
    sample: LabelledImage,
    config: AugmentationConfig,
    rng: np.random.Generator,
    accept: Accept | None = None,
) -> LabelledImage:
    """Scales, crops (padding with grey and void), flips and recolours, in this order.

    Args:
        sample: image and labels.
        config: which augmentations.
        rng: source of all randomness; always drawn from in the same order.
        accept: which windows may be cropped; all when left out. Another one is drawn for one that may not,
            up to ten in all, of which the last is taken as it is.

    Returns:
        Image and labels of ``config.crop`` size.
    """
    crop = draw_crop(sample, config, rng, accept)
    labels = crop.labels(sample)
    return LabelledImage(crop.image(sample.image, config, rng), labels.semantic, labels.instances)


@dataclass(frozen=True)
class Crop:
    """A part of a resized image, padded to one size, perhaps mirrored.

    Padding lies below and on the right, and on the left of a mirrored image.

    Attributes:
        resizing: of the whole image.
        window: what is kept of it.
        size: (H, W) that the window is padded to.
        flipped: whether it is mirrored then.
    """

    resizing: Resizing
    window: Window
    size: Size
    flipped: bool

    def image(self, image: np.ndarray, config: AugmentationConfig, rng: np.random.Generator) -> np.ndarray:
        """Cuts the crop out of ``(H, W, 3)`` uint8 and recolours it; ``ssd`` leaves the padding grey."""
        pixels = self._laid(self.resizing.image(image, self.window), _PAD_GREY)
        if config.color == "simple":
            return jitter_color(pixels, rng)
        if config.color == "ssd":
            height, width = (_length(part) for part in self.window)
            shown = np.s_[:height, self.size[1] - width :] if self.flipped else np.s_[:height, :width]
            pixels[shown] = distort_color(np.ascontiguousarray(pixels[shown]), rng)
        return pixels

    def labels(self, labels: LabelledImage | Labels) -> Labels:
        """Cuts the crop out of label maps; the padding is void and without objects."""
        found = _labels(labels, self.resizing, self.window)
        layers = tuple(self._laid(layer, 0) for layer in found.instances)
        return Labels(self._laid(found.semantic, VOID), layers)

    def _laid(self, window: np.ndarray, fill: int) -> np.ndarray:
        padded = _pad(window, self.size, fill)
        return cv2.flip(padded, 1) if self.flipped else padded


def draw_crop(
    labels: LabelledImage | Labels,
    config: AugmentationConfig,
    rng: np.random.Generator,
    accept: Accept | None = None,
) -> Crop:
    """Draws how an image is scaled, cut and mirrored; see :func:`augment`."""
    resizing = Resizing(labels.semantic.shape, draw_size(labels.semantic.shape, config, rng))
    window = draw_window(labels, resizing, config, rng, accept)
    return Crop(resizing, window, config.crop, config.flip and bool(rng.random() < 0.5))


def draw_window(
    labels: LabelledImage | Labels,
    resizing: Resizing,
    config: AugmentationConfig,
    rng: np.random.Generator,
    accept: Accept | None = None,
) -> Window:
    """Draws which part of the resized image is kept, of ``config.crop`` size or less where it is smaller.

    After large-scale jitter the window lies as far down as it lies to the right, in parts of the way, as in
    the recipes that have it.

    Args:
        labels: those of the image before it is resized.
        resizing: its old and new size.
        config: crop, and the largest share of one category.
        rng: drawn from once for every window tried.
        accept: see :func:`augment`.
    """
    largest = config.single_category_max_area
    for _ in range(_ATTEMPTS):
        window = _place(resizing.new, config, rng)
        mixed = largest == 1 or is_mixed(resizing.labels(labels.semantic, window), largest)
        if mixed and (accept is None or accept(_labels(labels, resizing, window))):
            break
    return window


def is_mixed(semantic: np.ndarray, max_area: float) -> bool:
    """Says whether labels show several classes, each on less than ``max_area`` of what is not void."""
    counts = np.bincount(semantic.ravel(), minlength=VOID + 1)[:VOID]
    return np.count_nonzero(counts) > 1 and bool(counts.max() < counts.sum() * max_area)


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


def _place(size: Size, config: AugmentationConfig, rng: np.random.Generator) -> Window:
    room = [max(0, side - kept) for side, kept in zip(size, config.crop, strict=True)]
    if isinstance(config.scale, JitterScale):
        part = rng.random()
        top, left = (round(free * part) for free in room)
    else:
        top, left = (int(rng.integers(0, free + 1)) for free in room)
    bottom, right = min(size[0], top + config.crop[0]), min(size[1], left + config.crop[1])
    return slice(top, bottom), slice(left, right)


def _labels(labels: LabelledImage | Labels, resizing: Resizing, window: Window) -> Labels:
    layers = tuple(resizing.labels(layer, window) for layer in labels.instances)
    return Labels(resizing.labels(labels.semantic, window), layers)


def _pad(array: np.ndarray, size: Size, fill: int) -> np.ndarray:
    """Copies ``(h, w, ...)`` into the top left corner of a new ``(H, W, ...)`` array."""
    padded = np.full((*size, *array.shape[2:]), fill, array.dtype)
    padded[: array.shape[0], : array.shape[1]] = array
    return padded


def _length(part: slice) -> int:
    return part.stop - part.start
