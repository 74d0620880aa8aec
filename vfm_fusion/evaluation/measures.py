"""Every measure of a task, fed image by image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vfm_fusion.config.evaluation import Protocol
from vfm_fusion.datasets.base import Category
from vfm_fusion.errors import LabelError
from vfm_fusion.evaluation import boundary as boundary_iou
from vfm_fusion.evaluation import cityscapes_ap, coco_ap, mean_iou, panoptic_quality
from vfm_fusion.evaluation.boundary import BoundaryIoU
from vfm_fusion.evaluation.cityscapes_ap import CityscapesAP
from vfm_fusion.evaluation.coco_ap import CocoAP
from vfm_fusion.evaluation.mean_iou import MeanIoU
from vfm_fusion.evaluation.panoptic_quality import PanopticMap, PanopticQuality
from vfm_fusion.evaluation.predictions import StoredPrediction
from vfm_fusion.evaluation.protocols import BOUNDARY_RATIO
from vfm_fusion.evaluation.scores import Scores, undefined
from vfm_fusion.evaluation.truth import Truth, true_panoptic

_INSTANCE_MEASURES = {"coco": (CocoAP, coco_ap), "cityscapes": (CityscapesAP, cityscapes_ap)}
_PARTS = {
    "panoptic": ("semantic", "instance", "panoptic"),
    "instance": ("instance",),
    "semantic": ("semantic",),
}
"""What each task is scored by."""


class Measures:
    """Mean IoU and Boundary IoU of class maps, AP and Boundary AP of objects, PQ of panoptic maps.

    What the run's task does not predict is undefined, with a reason; so are AP and PQ where the data set has
    no instance labels.

    Args:
        categories: the evaluated classes.
        task: what the run was trained for: ``panoptic``, ``instance`` or ``semantic``.
        protocol: whose rules AP and the width of boundaries follow.
    """

    def __init__(self, categories: Sequence[Category], task: str, protocol: Protocol) -> None:
        self._things = [category.id for category in categories if category.isthing]
        self._task, self._classes = task, len(categories)
        ratio = BOUNDARY_RATIO[protocol]
        self._mean_iou = MeanIoU(len(categories))
        self._boundary_iou = BoundaryIoU(len(categories), ratio)
        measure, instance_module = _INSTANCE_MEASURES[protocol]
        self._instances = measure(categories, ratio)
        self._panoptic = PanopticQuality(len(categories))
        self._measures = (
            ("semantic", self._mean_iou, mean_iou),
            ("semantic", self._boundary_iou, boundary_iou),
            ("instance", self._instances, instance_module),
            ("panoptic", self._panoptic, panoptic_quality),
        )
        reason = f"trained for {task} segmentation only"
        self._undefined = {part: reason for part in _PARTS["panoptic"] if part not in _PARTS[task]}

    def add(self, truth: Truth, predicted: StoredPrediction) -> None:
        """Adds an image.

        Raises:
            LabelError: the image has no class labels, and the task is scored by them.
        """
        if "semantic" in _PARTS[self._task]:
            if truth.semantic is None:
                raise LabelError(
                    f"image {truth.image_id!r} has no class labels, by which a {self._task} run is scored; "
                    "evaluate on a data set with class labels"
                )
            self._mean_iou.add(truth.semantic, predicted.semantic)
            self._boundary_iou.add(truth.semantic, predicted.semantic)
        if self._task == "semantic":
            return
        if truth.instances is None:
            reason = f"image {truth.image_id!r} has no instance labels"
            self._undefined = {"instance": reason, "panoptic": reason} | self._undefined
            return
        self._instances.add(truth, predicted.instances)
        if self._task == "panoptic":
            self._panoptic.add(true_panoptic(truth, self._things), _panoptic(predicted))

    def compute(self) -> list[Scores]:
        """Returns the scores of semantic, instance and panoptic segmentation."""
        return [
            undefined(module.METRICS, module.PER_CLASS, self._classes, self._undefined[part])
            if part in self._undefined
            else measure.compute()
            for part, measure, module in self._measures
        ]


def _panoptic(predicted: StoredPrediction) -> PanopticMap:
    categories = predicted.segments["category"].astype(np.int64)
    return PanopticMap(predicted.panoptic, categories, np.zeros(len(categories), bool))
