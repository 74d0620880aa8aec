"""Boundary regions of masks and label maps (Cheng et al., "Boundary IoU", CVPR 2021).

The boundary region of a mask G is what an erosion by d pixels takes away from it, d a share of the image's
diagonal (at least one pixel): the pixels p of G for which the square of 2 d + 1 pixels around p leaves G or
the image. This is the definition of the authors' code (github.com/bowenc0221/boundary-iou-api), which erodes
d times by 3 x 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import cv2
import numpy as np

from vfm_fusion.datasets.base import VOID, Category
from vfm_fusion.evaluation.evaluator import Evaluator, Scores, Truth
from vfm_fusion.evaluation.mean_iou import check_maps
from vfm_fusion.evaluation.predictions import StoredPrediction


def boundary_width(size: tuple[int, int], ratio: float) -> int:
    """Returns d in pixels for an image of ``size`` (H, W)."""
    return max(1, round(ratio * float(np.hypot(*size))))


def mask_boundary(mask: np.ndarray, width: int) -> np.ndarray:
    """Returns the boundary region of a mask.

    Args:
        mask: ``(H, W)`` uint8, 0 and 1; what lies around it is taken for 0, so that a mask cut out by its
            bounding box has the same boundary as in its image.
        width: d, see :func:`boundary_width`.

    Returns:
        ``(H, W)`` uint8, 0 and 1.
    """
    square = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    return mask - cv2.erode(mask, square, borderType=cv2.BORDER_CONSTANT, borderValue=0)


def map_boundary(labels: np.ndarray, width: int) -> np.ndarray:
    """Marks the boundary regions of every label of a map at once.

    A pixel is inside its label's region when the least and the largest label of the square around it are
    equal: two filters for all labels instead of an erosion for each.

    Args:
        labels: ``(H, W)`` uint8, uint16 or float32 labels.
        width: d, see :func:`boundary_width`.

    Returns:
        ``(H, W)`` bool.
    """
    square = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    boundary = cv2.erode(labels, square) != cv2.dilate(labels, square)
    boundary[:width] = boundary[-width:] = True
    boundary[:, :width] = boundary[:, -width:] = True
    return boundary


class BoundaryIoU(Evaluator):
    """Adds up boundary regions over images.

    With G_c and P_c the boundary regions of class c in truth and prediction
    (:mod:`vfm_fusion.evaluation.boundary`), the Boundary IoU of c is sum |G_c and P_c| / sum |G_c or P_c|,
    the sums over all images; the mean is over the classes that occur in truth or prediction. Pixels whose
    truth is void belong to no region, and their rim is a contour of both maps, so that the truth scores 100.

    Args:
        classes: number of classes.
        ratio: width of the regions over the image's diagonal.
    """

    metrics = ("boundary_mIoU",)
    per_class = ("boundary_IoU",)

    def __init__(self, classes: int, ratio: float) -> None:
        self._classes, self._ratio = classes, ratio
        self.reset()

    @classmethod
    def of(cls, categories: Sequence[Category], ratio: float) -> Self:
        """See :meth:`Evaluator.of`."""
        return cls(len(categories), ratio)

    def reset(self) -> None:
        """See :meth:`Evaluator.reset`."""
        self._shared, self._true, self._predicted = np.zeros((3, self._classes), np.int64)

    def process(self, truth: Truth, predicted: StoredPrediction) -> None:
        """See :meth:`Evaluator.process`."""
        self.add(truth.semantic, predicted.semantic)

    def add(self, truth: np.ndarray, predicted: np.ndarray) -> None:
        """Adds an image's maps.

        Args:
            truth: ``(H, W)`` uint8 train ids; ids of no class are void.
            predicted: ``(H, W)`` uint8 train ids.

        Raises:
            ShapeError: the maps differ in size.
            LabelError: a prediction is no class.
        """
        check_maps(truth, predicted, self._classes)
        void = truth >= self._classes
        truth, predicted = (np.where(void, np.uint8(VOID), labels) for labels in (truth, predicted))
        width = boundary_width(truth.shape, self._ratio)
        of_truth, of_predicted = (map_boundary(labels, width) for labels in (truth, predicted))
        self._true += self._count(truth[of_truth])
        self._predicted += self._count(predicted[of_predicted])
        self._shared += self._count(truth[of_truth & of_predicted & (truth == predicted)])

    def evaluate(self) -> Scores:
        """Returns the mean and the Boundary IoU per class."""
        union = self._true + self._predicted - self._shared
        iou = 100 * np.divide(self._shared, union, out=np.full(len(union), np.nan), where=union > 0)
        if not union.any():
            reasons = {"boundary_mIoU": "no labelled pixel"}
            return Scores({"boundary_mIoU": float("nan")}, {"boundary_IoU": iou}, reasons)
        return Scores({"boundary_mIoU": float(np.nanmean(iou))}, {"boundary_IoU": iou})

    def _count(self, labels: np.ndarray) -> np.ndarray:
        return np.bincount(labels, minlength=VOID + 1)[: self._classes]
