"""Every measure of a task, fed image by image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vfm_fusion.config.evaluation import Protocol
from vfm_fusion.datasets.base import Category
from vfm_fusion.evaluation import cityscapes_ap, coco_ap, panoptic_quality
from vfm_fusion.evaluation.boundary_iou import BoundaryIoU
from vfm_fusion.evaluation.cityscapes_ap import CityscapesAP
from vfm_fusion.evaluation.coco_ap import CocoAP
from vfm_fusion.evaluation.mean_iou import MeanIoU
from vfm_fusion.evaluation.panoptic_quality import PanopticMap, PanopticQuality
from vfm_fusion.evaluation.predictions import StoredPrediction
from vfm_fusion.evaluation.protocols import BOUNDARY_RATIO
from vfm_fusion.evaluation.scores import Scores, undefined
from vfm_fusion.evaluation.truth import Truth, true_panoptic

_INSTANCE_MEASURES = {"coco": (CocoAP, coco_ap), "cityscapes": (CityscapesAP, cityscapes_ap)}


class Measures:
    """Mean IoU and Boundary IoU; and AP, Boundary AP and PQ where there are objects.

    AP and PQ need instance labels; where the task or the data set has none they are undefined, with a reason.

    Args:
        categories: the evaluated classes.
        task: what the run was trained for, ``panoptic`` or ``semantic``.
        protocol: whose rules AP and the width of boundaries follow.
    """

    def __init__(self, categories: Sequence[Category], task: str, protocol: Protocol) -> None:
        self._categories = categories
        self._things = [category.id for category in categories if category.isthing]
        ratio = BOUNDARY_RATIO[protocol]
        self._semantic = [MeanIoU(len(categories)), BoundaryIoU(len(categories), ratio)]
        measure, self._instance_module = _INSTANCE_MEASURES[protocol]
        self._instances = measure(categories, ratio)
        self._panoptic = PanopticQuality(len(categories))
        self._task = task
        self._without_instances: str | None = None
        if task == "semantic":
            self._without_instances = "trained for semantic segmentation only"

    def add(self, truth: Truth, predicted: StoredPrediction) -> None:
        """Adds an image."""
        for measure in self._semantic:
            measure.add(truth.semantic, predicted.semantic)
        if self._task == "semantic":
            return
        if truth.instances is None:
            self._without_instances = f"image {truth.image_id!r} has no instance labels"
            return
        self._instances.add(truth, predicted.instances)
        self._panoptic.add(true_panoptic(truth, self._things), _panoptic(predicted))

    def compute(self) -> list[Scores]:
        """Returns the scores of semantic, instance and panoptic segmentation."""
        scores = [measure.compute() for measure in self._semantic]
        if self._without_instances is None:
            return [*scores, self._instances.compute(), self._panoptic.compute()]
        return scores + [
            undefined(module.METRICS, module.PER_CLASS, len(self._categories), self._without_instances)
            for module in (self._instance_module, panoptic_quality)
        ]


def _panoptic(predicted: StoredPrediction) -> PanopticMap:
    categories = predicted.segments["category"].astype(np.int64)
    return PanopticMap(predicted.panoptic, categories, np.zeros(len(categories), bool))
