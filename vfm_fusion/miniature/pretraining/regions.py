"""The regions of an image that a prompt can ask for: objects, and connected parts of stuff."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from vfm_fusion.datasets.base import Instances


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
