"""The regions of an image that a prompt can ask for, points in them and boxes around them.

Coordinates are (x, y) pixels; 0 is the centre of the first pixel.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from vfm_fusion.datasets.base import Instances

_JITTER = 0.1  # standard deviation of a box's corners, over its sides
_MOST_JITTER = 20.0  # pixels


def objects(instances: Instances, least: int) -> list[np.ndarray]:
    """Returns the masks of objects, without crowds.

    Args:
        instances: the objects of an image.
        least: smallest number of pixels.

    Returns:
        ``(H, W)`` bool each, in the order of ``instances``.
    """
    pixels = np.bincount(instances.ids.ravel(), minlength=len(instances) + 1)
    if instances.covered is not None:
        pixels = pixels + np.bincount(instances.covered.ravel(), minlength=len(instances) + 1)
    wanted = np.flatnonzero((pixels[1:] >= least) & ~instances.crowd)
    masks = (instances.mask(position) for position in wanted)
    return [mask for mask in masks if mask.sum() >= least]


def stuff(semantic: np.ndarray, classes: Iterable[int], least: int) -> list[np.ndarray]:
    """Returns the connected regions (8 neighbours) of stuff.

    Args:
        semantic: ``(H, W)`` uint8 train ids.
        classes: train ids of stuff.
        least: smallest number of pixels.

    Returns:
        ``(H, W)`` bool each, class by class.
    """
    pixels = np.bincount(semantic.ravel(), minlength=256)
    regions = []
    for category in classes:
        if pixels[category] < least:
            continue
        mask = (semantic == category).astype(np.uint8)
        _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
        large = 1 + np.flatnonzero(stats[1:, cv2.CC_STAT_AREA] >= least)
        regions += [labels == label for label in large]
    return regions


def draw_point(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draws a pixel of a region.

    Args:
        mask: ``(H, W)`` bool, not empty.
        rng: drawn from once.

    Returns:
        ``(2,)`` float32: x, y.
    """
    pixels = np.flatnonzero(mask)
    y, x = divmod(int(pixels[rng.integers(len(pixels))]), mask.shape[1])
    return np.array([x, y], np.float32)


def tight_box(mask: np.ndarray) -> np.ndarray:
    """Returns the first and last column and row of a region.

    Args:
        mask: ``(H, W)`` bool, not empty.

    Returns:
        ``(4,)`` float32: left, top, right, bottom.
    """
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    return np.array([columns[0], rows[0], columns[-1], rows[-1]], np.float32)


def draw_box(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draws a box around a region, with noise on each side as SAM adds it.

    Args:
        mask: ``(H, W)`` bool, not empty.
        rng: drawn from once.

    Returns:
        ``(4,)`` float32: left, top, right, bottom, within the image.
    """
    box = tight_box(mask)
    sides = np.tile(box[2:] - box[:2] + 1, 2)
    noise = np.clip(rng.normal(size=4) * _JITTER * sides, -_MOST_JITTER, _MOST_JITTER)
    height, width = mask.shape
    jittered = np.clip(box + noise, 0, [width - 1, height - 1, width - 1, height - 1])
    return np.concatenate(
        [np.minimum(jittered[:2], jittered[2:]), np.maximum(jittered[:2], jittered[2:])]
    ).astype(np.float32)


def innermost_point(mask: np.ndarray) -> np.ndarray:
    """Returns the pixel of a region that is farthest from its edge; the image's border is an edge too.

    Args:
        mask: ``(H, W)`` bool, not empty.

    Returns:
        ``(2,)`` float32: x, y.
    """
    padded = np.pad(mask.astype(np.uint8), 1)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    y, x = divmod(int(depth.argmax()), mask.shape[1])
    return np.array([x, y], np.float32)
