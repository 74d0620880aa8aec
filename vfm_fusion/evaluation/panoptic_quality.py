"""Panoptic quality (Kirillov et al., CVPR 2019), as panopticapi computes it (but see crowds)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from vfm_fusion.datasets.base import VOID, Category
from vfm_fusion.errors import ShapeError
from vfm_fusion.evaluation.evaluator import Evaluator, Scores, Truth
from vfm_fusion.evaluation.predictions import StoredPrediction


@dataclass(frozen=True)
class PanopticMap:
    """A panoptic segmentation of one image.

    Attributes:
        ids: ``(H, W)`` integer segment ids; 0 is void, segment k is k + 1.
        categories: ``(n,)`` train ids of the segments.
        crowd: ``(n,)`` bool; regions of several objects, which are never matched. All False in a prediction.
    """

    ids: np.ndarray
    categories: np.ndarray
    crowd: np.ndarray


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


class PanopticQuality(Evaluator):
    """Adds up matches over images.

    A predicted and a true segment of one class match when their IoU exceeds .5, void pixels of the truth left
    out of the union. A prediction that lies by more than half on void or on a crowd of its class is ignored;
    every other one without a match is a false positive. Per class, over all images,
    PQ = sum of the matches' IoU / (TP + FP / 2 + FN / 2) = SQ x RQ, SQ the mean IoU of the matches and
    RQ = TP / (TP + FP / 2 + FN / 2).

    Where an image has several crowds of a class, panopticapi keeps only the last one that the JSON lists
    (each overwrites the one before in ``crowd_labels_dict``) and counts predictions on the others as wrong.
    Here predictions on every crowd are ignored: no crowd says what would be right on it, and a score should
    not depend on the order of a list.

    Args:
        classes: number of classes.
        things: train ids of the countable ones.
    """

    metrics = ("PQ", "SQ", "RQ")
    per_class = ("PQ",)

    def __init__(self, classes: int, things: Collection[int]) -> None:
        self._classes, self._things = classes, frozenset(things)
        self.reset()

    @classmethod
    def of(cls, categories: Sequence[Category], ratio: float) -> Self:
        """See :meth:`Evaluator.of`."""
        return cls(len(categories), [category.id for category in categories if category.isthing])

    def reset(self) -> None:
        """See :meth:`Evaluator.reset`."""
        self._iou = np.zeros(self._classes)
        self._tp, self._fp, self._fn = (np.zeros(self._classes, np.int64) for _ in range(3))

    def process(self, truth: Truth, predicted: StoredPrediction) -> None:
        """See :meth:`Evaluator.process`."""
        categories = predicted.segments["category"].astype(np.int64)
        segments = PanopticMap(predicted.panoptic, categories, np.zeros(len(categories), bool))
        self.add(true_panoptic(truth, self._things), segments)

    def add(self, truth: PanopticMap, predicted: PanopticMap) -> None:
        """Adds an image's maps.

        Raises:
            ShapeError: the maps differ in size.
        """
        if truth.ids.shape != predicted.ids.shape:
            raise ShapeError(f"truth is {truth.ids.shape}, the prediction {predicted.ids.shape}")
        shape = (len(truth.categories) + 1, len(predicted.categories) + 1)
        pairs = truth.ids.astype(np.int64) * shape[1] + predicted.ids
        overlap = np.bincount(pairs.ravel(), minlength=shape[0] * shape[1]).reshape(shape)
        true_areas, areas = overlap.sum(axis=1)[1:], overlap.sum(axis=0)[1:]
        on_void, shared = overlap[0, 1:], overlap[1:, 1:]  # (P,), (T, P)

        union = true_areas[:, None] + (areas - on_void)[None] - shared
        iou = shared / np.maximum(union, 1)
        same_class = truth.categories[:, None] == predicted.categories[None]
        matches = (iou > 0.5) & same_class & ~truth.crowd[:, None]
        self._count(self._tp, predicted.categories[matches.any(axis=0)])
        np.add.at(self._iou, truth.categories[matches.nonzero()[0]], iou[matches])

        missed = ~matches.any(axis=1) & ~truth.crowd & (true_areas > 0)
        self._count(self._fn, truth.categories[missed])
        on_crowd = (shared * (same_class & truth.crowd[:, None])).sum(axis=0)
        ignored = (on_void + on_crowd) > 0.5 * areas
        wrong = ~matches.any(axis=0) & ~ignored & (areas > 0)
        self._count(self._fp, predicted.categories[wrong])

    def evaluate(self) -> Scores:
        """Returns PQ, SQ and RQ per class and their means over the classes that occur."""
        weight = self._tp + self._fp / 2 + self._fn / 2
        occurs = weight > 0

        def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
            values = 100 * np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
            return np.where(occurs, values, np.nan)

        per_class = {
            "PQ": ratio(self._iou, weight),
            "SQ": ratio(self._iou, self._tp),
            "RQ": ratio(self._tp, weight),
        }
        if not occurs.any():
            reason = "no segment in truth or prediction"
            return Scores(
                dict.fromkeys(self.metrics, float("nan")), per_class, dict.fromkeys(self.metrics, reason)
            )
        return Scores({metric: float(np.nanmean(per_class[metric])) for metric in self.metrics}, per_class)

    def _count(self, counter: np.ndarray, categories: np.ndarray) -> None:
        counter += np.bincount(categories, minlength=len(counter))
