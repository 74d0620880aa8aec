"""Average precision of instance masks by the protocol of Cityscapes, of masks and of their boundaries.

The rules are those of cityscapesScripts' ``evalInstanceLevelSemanticLabeling``; they differ from COCO's in
the matching, in what is ignored and in the area under the curve. Boundary AP follows what the authors of
Boundary IoU made of that script (github.com/bowenc0221/boundary-iou-api, ``cityscapes_instance_api``).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vfm_fusion.datasets.base import Category
from vfm_fusion.evaluation.cityscapes_matching import SMALLEST, THRESHOLDS, Outcome, judge
from vfm_fusion.evaluation.cityscapes_overlaps import count_overlaps
from vfm_fusion.evaluation.rle import EncodedInstances
from vfm_fusion.evaluation.scores import Scores
from vfm_fusion.evaluation.truth import Truth

METRICS = ("AP", "AP50", "boundary_AP")
PER_CLASS = ("AP", "AP50", "boundary_AP")

_MASKS, _BOUNDARIES = range(2)


class CityscapesAP:
    """Judges the predictions of each image (:mod:`vfm_fusion.evaluation.cityscapes_matching`), keeps scores.

    AP is the mean of the areas under the precision-recall curves over the IoU thresholds .5, .55, .., .95 and
    over the thing classes that have an object of at least 100 pixels; AP50 that over the classes at .5.
    Boundary AP takes min(mask IoU, boundary IoU) for the IoU, and holds objects for unrelated whose
    boundary regions do not meet.

    Args:
        categories: the evaluated classes.
        ratio: width of boundary regions over the image's diagonal.
    """

    def __init__(self, categories: Sequence[Category], ratio: float) -> None:
        self._classes = len(categories)
        self._things = [category.id for category in categories if category.isthing]
        self._ratio = ratio
        self._outcomes: dict[tuple[int, int, int], list[Outcome]] = {
            (kind, thing, step): []
            for kind in (_MASKS, _BOUNDARIES)
            for thing in self._things
            for step in range(len(THRESHOLDS))
        }

    def add(self, truth: Truth, predicted: EncodedInstances) -> None:
        """Adds an image.

        Raises:
            ShapeError: a predicted mask is not of the image's size.
        """
        masks, rims = count_overlaps(truth, predicted, self._ratio)
        related = masks.shared > 0
        meeting = related & (rims.shared > 0)
        pairs = ((masks.iou(), related), (np.minimum(masks.iou(), rims.iou()), meeting))
        objects = truth.instances
        for thing in self._things:
            p = np.flatnonzero(predicted.categories == thing)
            g = np.flatnonzero(objects.categories == thing)
            if not len(p) and not len(g):
                continue
            own, grid, groups, scores = masks.of(p, g), np.ix_(p, g), objects.crowd[g], predicted.scores[p]
            for kind, (iou, connected) in enumerate(pairs):
                for step, outcome in enumerate(judge(own, iou[grid], connected[grid], groups, scores)):
                    self._outcomes[kind, thing, step].append(outcome)

    def compute(self) -> Scores:
        """Returns AP, AP50 and Boundary AP, overall and per class; classes without an object are NaN."""
        areas = np.full((2, self._classes, len(THRESHOLDS)), np.nan)
        for key, outcomes in self._outcomes.items():
            areas[key] = 100 * _area(outcomes)
        tables = {"AP": areas[_MASKS], "AP50": areas[_MASKS, :, :1], "boundary_AP": areas[_BOUNDARIES]}
        per_class = {name: table.mean(axis=1) for name, table in tables.items()}
        if np.isnan(areas).all():
            reason = f"no ground-truth object of {SMALLEST} pixels or more"
            return Scores(dict.fromkeys(METRICS, float("nan")), per_class, dict.fromkeys(METRICS, reason))
        return Scores({name: float(np.nanmean(table)) for name, table in tables.items()}, per_class)


def _area(outcomes: Sequence[Outcome]) -> float:
    """Area under the precision-recall curve of one class at one threshold; NaN without an object.

    The curve joins, by straight lines, the points (recall, precision) of every confidence that occurs, and
    ends at (0, 1).
    """
    right = np.sort(np.concatenate([np.empty(0), *(outcome.right for outcome in outcomes)]))
    wrong = np.sort(np.concatenate([np.empty(0), *(outcome.wrong for outcome in outcomes)]))
    objects = len(right) + sum(outcome.missed for outcome in outcomes)
    if not objects:
        return float("nan")
    confidences = np.unique(np.concatenate([right, wrong]))
    hits = len(right) - np.searchsorted(right, confidences)
    errors = len(wrong) - np.searchsorted(wrong, confidences)
    precision = np.append(hits / (hits + errors), 1.0)
    recall = np.append(hits / objects, 0.0)
    return -float(np.trapezoid(precision, recall))
