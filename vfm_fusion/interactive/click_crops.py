"""The crops that click models are trained on: scaled, mirrored, turned, moved, cut and recoloured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from vfm_fusion.config.clicks import ClickCropConfig
from vfm_fusion.datasets.base import Category, Instances, Sample
from vfm_fusion.interactive.clickable import clickable_objects, void_pixels

_ATTEMPTS = 100
"""Crops drawn until one shows an object; images without any would draw for ever."""


@dataclass(frozen=True)
class ClickCrop:
    """A crop with its objects.

    Attributes:
        image: ``(S, S, 3)`` uint8 RGB, black where there is no image.
        objects: ``(n, S, S)`` bool, those of a certain size.
        ignored: ``(S, S)`` bool, pixels of unknown label.
    """

    image: np.ndarray
    objects: np.ndarray
    ignored: np.ndarray


@dataclass(frozen=True)
class _Rasters:
    """An image and rasters that go its way: what can be clicked, object numbers in layers."""

    image: np.ndarray
    labels: tuple[np.ndarray, ...]


def draw_click_crop(
    sample: Sample, categories: Sequence[Category], config: ClickCropConfig, rng: np.random.Generator
) -> ClickCrop:
    """Draws a crop of an image, again while it shows no object.

    Groups that were not annotated one by one are no objects; their pixels are of unknown label.

    Args:
        sample: image and labels.
        categories: the data set's classes.
        config: which augmentations.
        rng: random numbers.

    Raises:
        LabelError: the image has no labels of objects.
    """
    whole, numbers = _rasters(sample, categories, config)
    for _ in range(_ATTEMPTS):
        cut = _cut(_moved(_turned(_scaled(whole, config, rng), config, rng), config, rng), config, rng)
        objects = _objects(cut.labels[1:], numbers, config.least_area)
        if len(objects) or rng.random() < config.empty:
            break
    return ClickCrop(_recoloured(cut.image, config, rng), objects, cut.labels[0] > 0)


def whole_click_crop(sample: Sample, categories: Sequence[Category], config: ClickCropConfig) -> ClickCrop:
    """Takes an image as it is, as a crop of its own size; see :func:`draw_click_crop`."""
    whole, numbers = _rasters(sample, categories, config)
    return ClickCrop(whole.image, _objects(whole.labels[1:], numbers, config.least_area), whole.labels[0] > 0)


def _rasters(
    sample: Sample, categories: Sequence[Category], config: ClickCropConfig
) -> tuple[_Rasters, list[int]]:
    """The image, with pixels of unknown label and objects as rasters, and the numbers of whole objects."""
    instances = clickable_objects(sample)
    ignored = void_pixels(sample, categories)
    for number in np.flatnonzero(instances.crowd):
        ignored = ignored | instances.mask(number)
    numbers = _whole_objects(instances, config.least_fill)
    return _Rasters(sample.image, (ignored.astype(np.int32), *instances.layers)), numbers


def _whole_objects(instances: Instances, least_fill: float) -> list[int]:
    """Numbers of the objects, from 1, that fill their boxes well enough."""
    positions = np.flatnonzero(~instances.crowd)
    return [int(at) + 1 for at in positions if not least_fill or _fill(instances.mask(at)) >= least_fill]


def _fill(mask: np.ndarray) -> float:
    """Share of its box that a mask fills; 0 without pixels."""
    rows, cols = np.nonzero(mask)
    return len(rows) / ((np.ptp(rows) + 1) * (np.ptp(cols) + 1)) if len(rows) else 0.0


def _objects(layers: Sequence[np.ndarray], numbers: Sequence[int], least_area: int) -> np.ndarray:
    seen = np.unique(np.stack(layers))
    masks = [np.any([layer == number for layer in layers], axis=0) for number in numbers if number in seen]
    kept = [mask for mask in masks if mask.sum() >= least_area]
    return np.stack(kept) if kept else np.zeros((0, *layers[0].shape), bool)


def _scaled(rasters: _Rasters, config: ClickCropConfig, rng: np.random.Generator) -> _Rasters:
    factor = rng.uniform(*config.scale)
    size = tuple(max(1, round(side * factor)) for side in rasters.image.shape[1::-1])  # (W, H)
    return _Rasters(
        cv2.resize(rasters.image, size, interpolation=cv2.INTER_LINEAR),
        tuple(cv2.resize(each, size, interpolation=cv2.INTER_NEAREST_EXACT) for each in rasters.labels),
    )


def _turned(rasters: _Rasters, config: ClickCropConfig, rng: np.random.Generator) -> _Rasters:
    axes = ((0,), (1,), (0, 1))[rng.integers(3)] if rng.random() < config.flip_share else ()
    quarters = int(rng.integers(4)) if rng.random() < config.turn_share else 0
    turned = [np.rot90(np.flip(each, axes), quarters) for each in (rasters.image, *rasters.labels)]
    image, *labels = (np.ascontiguousarray(each) for each in turned)
    return _Rasters(image, tuple(labels))


def _moved(rasters: _Rasters, config: ClickCropConfig, rng: np.random.Generator) -> _Rasters:
    moved, angle = rng.random() < config.move_share, rng.uniform(-config.tilt, config.tilt)
    shift = rng.uniform(-config.shift, config.shift, 2)
    if not moved:
        return rasters
    height, width = rasters.image.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, 1.0)
    matrix[:, 2] += shift * (width, height)

    def warped(pixels: np.ndarray, interpolation: int) -> np.ndarray:
        return cv2.warpAffine(pixels, matrix, (width, height), flags=interpolation)

    labels = (warped(each.astype(np.float32), cv2.INTER_NEAREST) for each in rasters.labels)
    return _Rasters(warped(rasters.image, cv2.INTER_LINEAR), tuple(each.astype(np.int32) for each in labels))


def _cut(rasters: _Rasters, config: ClickCropConfig, rng: np.random.Generator) -> _Rasters:
    """Pads all around to the crop's side where the image is smaller, and cuts a square out."""
    side, size = config.side, rasters.image.shape[:2]
    around = [(missing // 2, missing - missing // 2) for missing in (max(0, side - own) for own in size)]
    top, left = (int(rng.integers(max(0, own - side) + 1)) for own in size)

    def laid(pixels: np.ndarray) -> np.ndarray:
        padded = np.pad(pixels, [*around, *[(0, 0)] * (pixels.ndim - 2)])
        return padded[top : top + side, left : left + side]

    return _Rasters(laid(rasters.image), tuple(laid(each) for each in rasters.labels))


def _recoloured(image: np.ndarray, config: ClickCropConfig, rng: np.random.Generator) -> np.ndarray:
    """Changes contrast and brightness, then each colour by some levels; each is rounded and cut off."""
    contrast, brightness = 1 + rng.uniform(*config.contrast), rng.uniform(-1, 1) * config.brightness
    levels = rng.uniform(-config.levels, config.levels, 3)
    changed, shifted = rng.random(2) < config.color_share
    if changed:
        image = _levels(image * contrast + 255 * brightness)
    return _levels(image + levels) if shifted else image


def _levels(pixels: np.ndarray) -> np.ndarray:
    return np.rint(pixels).clip(0, 255).astype(np.uint8)
