"""Mean intersection over union of semantic segmentation, from one confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np

from vfm_fusion.datasets.base import Category
from vfm_fusion.errors import LabelError, ShapeError
from vfm_fusion.evaluation.evaluator import Evaluator, Scores, Truth
from vfm_fusion.evaluation.predictions import StoredPrediction


class MeanIoU(Evaluator):
    """Adds up a confusion matrix over images.

    The IoU of a class is TP / (TP + FP + FN) over all labelled pixels of all images; pixels whose truth is
    void count nowhere. The mean is over the classes that occur in truth or prediction. These are the rules of
    cityscapesScripts' ``evalPixelLevelSemanticLabeling`` and of ADE20K's.

    Args:
        classes: number of classes.
    """

    metrics = ("mIoU",)
    per_class = ("IoU",)

    def __init__(self, classes: int) -> None:
        self._classes = classes
        self.reset()

    @classmethod
    def of(cls, categories: Sequence[Category], ratio: float) -> Self:
        """See :meth:`Evaluator.of`."""
        return cls(len(categories))

    def reset(self) -> None:
        """See :meth:`Evaluator.reset`."""
        self._confusion = np.zeros((self._classes, self._classes), np.int64)  # truth x prediction

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
        classes = self._classes
        check_maps(truth, predicted, classes)
        labelled = truth < classes
        pairs = truth[labelled].astype(np.int64) * classes + predicted[labelled]
        self._confusion += np.bincount(pairs, minlength=classes**2).reshape(classes, classes)

    def evaluate(self) -> Scores:
        """Returns mIoU and the IoU per class."""
        hits = np.diag(self._confusion)
        union = self._confusion.sum(axis=0) + self._confusion.sum(axis=1) - hits
        iou = 100 * np.divide(hits, union, out=np.full(len(hits), np.nan), where=union > 0)
        if not union.any():
            return Scores({"mIoU": float("nan")}, {"IoU": iou}, {"mIoU": "no labelled pixel"})
        return Scores({"mIoU": float(np.nanmean(iou))}, {"IoU": iou})


def check_maps(truth: np.ndarray, predicted: np.ndarray, classes: int) -> None:
    """Checks a truth and a predicted map.

    Raises:
        ShapeError: the maps differ in size.
        LabelError: a prediction is no class.
    """
    if truth.shape != predicted.shape:
        raise ShapeError(f"truth is {truth.shape}, the prediction {predicted.shape}; they must agree")
    if predicted.max(initial=0) >= classes:
        raise LabelError(f"predicted train id {predicted.max()}; expected 0 to {classes - 1}")
