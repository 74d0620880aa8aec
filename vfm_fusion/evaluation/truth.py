"""The labels of one image as the measures take them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from vfm_fusion.datasets.base import VOID, Dataset, Instances
from vfm_fusion.datasets.cityscapes_labels import INSTANCE_FACTOR, INSTANCE_SUFFIX
from vfm_fusion.datasets.images import read_labels
from vfm_fusion.errors import LabelError
from vfm_fusion.evaluation.panoptic_quality import PanopticMap

_UNSIGNED_MINUS_ONE = 0xFFFF  # label id -1 (license plate) in an unsigned raster


@dataclass(frozen=True)
class Truth:
    """The labels of one image.

    Attributes:
        image_id: the image.
        semantic: ``(H, W)`` uint8 train ids, :data:`~vfm_fusion.datasets.base.VOID` elsewhere; None where
            only objects are annotated.
        instances: the objects; None where the data set has none.
        void: ``(H, W)`` bool; pixels on which the Cityscapes protocol ignores predicted objects.
    """

    image_id: str
    semantic: np.ndarray | None
    instances: Instances | None
    void: np.ndarray


def read_truth(dataset: Dataset, image_id: str) -> Truth:
    """Reads the labels of an image.

    Raises:
        LabelError: the data set has no such image, or the image has no labels.
    """
    if image_id not in dataset.ids:
        raise LabelError(
            f"image {image_id!r} was predicted, but is not among the {len(dataset)} of the data set; "
            "delete the predictions and predict again"
        )
    position = dataset.ids.index(image_id)
    semantic, instances = dataset.labels(position)
    if semantic is None and instances is None:
        raise LabelError(f"image {image_id!r} has no labels; evaluate on a labelled split")
    if semantic is None:
        return Truth(image_id, None, instances, np.zeros(instances.ids.shape, bool))
    raster = dataset.path("instance", position) if instances is not None else None
    if raster is not None and raster.name.endswith(INSTANCE_SUFFIX):
        return Truth(image_id, semantic, instances, official_void(semantic, read_labels(raster, np.int32)))
    return Truth(image_id, semantic, instances, semantic == VOID)


def official_void(semantic: np.ndarray, raster: np.ndarray) -> np.ndarray:
    """Marks what cityscapesScripts takes for void when it evaluates instances.

    Objects of classes that are not evaluated (caravans, trailers) are void for mIoU, but where they are
    annotated one by one they are *not* void for AP: a prediction on them is wrong.

    Args:
        semantic: ``(H, W)`` uint8 train ids.
        raster: ``(H, W)`` int32, the official ``instanceIds``: ``class * 1000 + k`` for an object.
    """
    return (semantic == VOID) & ((raster < INSTANCE_FACTOR) | (raster == _UNSIGNED_MINUS_ONE))


def true_panoptic(truth: Truth, things: Collection[int]) -> PanopticMap:
    """Merges instances and stuff regions of the truth into one map.

    Pixels of a thing class that belong to no instance are void.
    """
    ids = truth.instances.ids.astype(np.int64)
    categories = truth.instances.categories.tolist()
    for category in np.unique(truth.semantic).tolist():
        if category != VOID and category not in things:
            categories.append(category)
            ids[(truth.semantic == category) & (ids == 0)] = len(categories)
    crowd = np.zeros(len(categories), bool)
    crowd[: len(truth.instances)] = truth.instances.crowd
    return PanopticMap(ids, np.array(categories, np.int64), crowd)
