"""What of an image's labels can be clicked: its objects, and the pixels that count for nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vfm_fusion.datasets.base import VOID, Category, Instances, Sample
from vfm_fusion.errors import LabelError


def clickable_objects(sample: Sample) -> Instances:
    """Returns the objects of an image.

    Raises:
        LabelError: the image has no labels of objects.
    """
    if sample.instances is None:
        raise LabelError(
            f"image {sample.image_id!r} has no labels of objects, so there is nothing to click; choose a "
            "data set with objects"
        )
    return sample.instances


def void_pixels(sample: Sample, categories: Sequence[Category]) -> np.ndarray:
    """Marks pixels of unknown label, ``(H, W)`` bool: void, unless all classes are things.

    There void is the background (SBD); where void is an undecided border (GrabCut), background is a class.
    """
    if sample.semantic is None or all(category.isthing for category in categories):
        return np.zeros(sample.image.shape[:2], bool)
    return sample.semantic == VOID
