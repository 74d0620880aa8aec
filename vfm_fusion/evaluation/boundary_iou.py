"""Boundary IoU of semantic segmentation (Cheng et al., CVPR 2021), per class."""

from __future__ import annotations

import numpy as np

from vfm_fusion.datasets.base import VOID
from vfm_fusion.evaluation.boundary import boundary_width, map_boundary
from vfm_fusion.evaluation.mean_iou import check_maps
from vfm_fusion.evaluation.scores import Scores

METRICS = ("boundary_mIoU",)
PER_CLASS = ("boundary_IoU",)


class BoundaryIoU:
    """Adds up boundary regions over images.

    With G_c and P_c the boundary regions of class c in truth and prediction
    (:mod:`vfm_fusion.evaluation.boundary`), the Boundary IoU of c is sum |G_c and P_c| / sum |G_c or P_c|,
    the sums over all images; the mean is over the classes that occur in truth or prediction. Pixels whose
    truth is void belong to no region, and their rim is a contour of both maps, so that the truth scores 100.

    Args:
        classes: number of classes.
        ratio: width of the regions over the image's diagonal.
    """

    def __init__(self, classes: int, ratio: float) -> None:
        self._ratio = ratio
        self._shared, self._true, self._predicted = np.zeros((3, classes), np.int64)

    def add(self, truth: np.ndarray, predicted: np.ndarray) -> None:
        """Adds an image.

        Args:
            truth: ``(H, W)`` uint8 train ids; ids of no class are void.
            predicted: ``(H, W)`` uint8 train ids.

        Raises:
            ShapeError: the maps differ in size.
            LabelError: a prediction is no class.
        """
        check_maps(truth, predicted, len(self._shared))
        void = truth >= len(self._shared)
        truth, predicted = (np.where(void, np.uint8(VOID), labels) for labels in (truth, predicted))
        width = boundary_width(truth.shape, self._ratio)
        of_truth, of_predicted = (map_boundary(labels, width) for labels in (truth, predicted))
        self._true += self._count(truth[of_truth])
        self._predicted += self._count(predicted[of_predicted])
        self._shared += self._count(truth[of_truth & of_predicted & (truth == predicted)])

    def compute(self) -> Scores:
        """Returns the mean and the Boundary IoU per class."""
        union = self._true + self._predicted - self._shared
        iou = 100 * np.divide(self._shared, union, out=np.full(len(union), np.nan), where=union > 0)
        if not union.any():
            reasons = {"boundary_mIoU": "no labelled pixel"}
            return Scores({"boundary_mIoU": float("nan")}, {"boundary_IoU": iou}, reasons)
        return Scores({"boundary_mIoU": float(np.nanmean(iou))}, {"boundary_IoU": iou})

    def _count(self, labels: np.ndarray) -> np.ndarray:
        return np.bincount(labels, minlength=VOID + 1)[: len(self._shared)]
