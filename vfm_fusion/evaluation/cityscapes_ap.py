"""How many pixels predicted and annotated objects of an image share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from faster_coco_eval.core import mask as coco_mask

from vfm_fusion.datasets.base import Category
from vfm_fusion.errors import ShapeError
from vfm_fusion.evaluation.boundary import boundary_width, map_boundary, mask_boundary
from vfm_fusion.evaluation.evaluator import Evaluator, Scores, Truth
from vfm_fusion.evaluation.predictions import StoredPrediction
from vfm_fusion.evaluation.rle import EncodedInstances


@dataclass(frozen=True)
class Overlaps:
    """Pixel counts of P predicted and G annotated objects.

    Attributes:
        shared: ``(P, G)`` int64, pixels of both.
        predicted: ``(P,)`` int64, pixels of the prediction.
        true: ``(G,)`` int64, pixels of the object.
        void: ``(P,)`` int64, pixels of the prediction on void.
    """

    shared: np.ndarray
    predicted: np.ndarray
    true: np.ndarray
    void: np.ndarray

    def of(self, predicted: np.ndarray, true: np.ndarray) -> Overlaps:
        """Returns the counts of some predictions and objects, given by their positions."""
        return Overlaps(
            self.shared[np.ix_(predicted, true)],
            self.predicted[predicted],
            self.true[true],
            self.void[predicted],
        )

    def iou(self) -> np.ndarray:
        """Returns ``(P, G)`` intersection over union; 0 for objects of no pixel."""
        union = self.predicted[:, None] + self.true - self.shared
        return self.shared / np.maximum(union, 1)


def count_overlaps(truth: Truth, predicted: EncodedInstances, ratio: float) -> tuple[Overlaps, Overlaps]:
    """Counts the pixels that objects share, and those that their boundary regions share.

    Annotated objects are taken as the camera sees them: where they overlap, only the front one counts, as in
    an ``instanceIds`` raster.

    Args:
        truth: labels of the image.
        predicted: predicted objects, which may overlap.
        ratio: width of boundary regions over the image's diagonal.

    Returns:
        Of whole masks and of boundary regions.

    Raises:
        ShapeError: predictions are not of the image's size, or there are too many objects.
    """
    ids = truth.instances.ids
    count = len(truth.instances)
    if count >= np.iinfo(np.uint16).max - 1:
        raise ShapeError(f"image {truth.image_id!r} has {count} objects; expected fewer than 65534")
    width = boundary_width(ids.shape, ratio)
    whole = np.where(truth.void & (ids == 0), count + 1, ids).astype(np.uint16)  # 0 none, 1..G, G + 1 void
    rim = np.where(map_boundary(ids.astype(np.uint16), width), whole, 0)
    rows = np.zeros((2, len(predicted.rles), count + 2), np.int64)
    for position, rle in enumerate(predicted.rles):
        if tuple(rle["size"]) != ids.shape:
            raise ShapeError(
                f"image {truth.image_id!r}: a predicted mask is {tuple(rle['size'])}, the labels {ids.shape}"
            )
        mask, window = _cut_out(rle)
        boundary = mask_boundary(mask, width)
        for row, raster, region in zip(rows, (whole, rim), (mask, boundary), strict=True):
            row[position] = np.bincount(raster[window][region.view(bool)], minlength=count + 2)
    return tuple(
        Overlaps(
            row[:, 1:-1], row.sum(axis=1), np.bincount(raster.ravel(), minlength=count + 2)[1:-1], row[:, -1]
        )
        for row, raster in zip(rows, (whole, rim), strict=True)
    )


def _cut_out(rle: dict) -> tuple[np.ndarray, tuple[slice, slice]]:
    """Decodes a mask: ``(h, w)`` uint8, 0 and 1, within its bounding box, and where that lies."""
    left, top, width, height = (int(value) for value in coco_mask.toBbox(rle))
    window = slice(top, top + height), slice(left, left + width)
    return np.ascontiguousarray(coco_mask.decode(rle)[window]), window


THRESHOLDS = np.arange(0.5, 1.0, 0.05)
"""IoU above which a prediction matches, made as the official script makes them (0.6 is 0.6000...01)."""

SMALLEST = 100
"""Annotated objects of fewer pixels are ignored."""


@dataclass(frozen=True)
class Outcome:
    """What became of the objects of one class in one image at one threshold.

    Attributes:
        right: ``(n,)`` confidences of the right predictions.
        wrong: ``(m,)`` confidences of the wrong ones.
        missed: annotated objects that no prediction matches.
    """

    right: np.ndarray
    wrong: np.ndarray
    missed: int


def judge(
    masks: Overlaps, iou: np.ndarray, related: np.ndarray, groups: np.ndarray, scores: np.ndarray
) -> list[Outcome]:
    """Judges the predictions of one class in one image at every threshold.

    A prediction matches an annotated object when their IoU exceeds the threshold t. Of the predictions that
    match an object, the most confident is right and the others are wrong. Groups and objects of fewer than
    100 pixels need not be found, and what matches one of them does not count. A prediction without any match
    is wrong, unless more than the share t of its pixels is to be ignored: those on void, on groups and on
    objects of fewer than 100 pixels (on a group of fewer than 100, twice, as in the official script).

    Args:
        masks: pixels that the class's P predictions and G annotated objects share.
        iou: ``(P, G)``, compared with the thresholds.
        related: ``(P, G)`` bool, pairs that have to do with each other at all.
        groups: ``(G,)`` bool, regions of several objects.
        scores: ``(P,)`` confidences.

    Returns:
        One outcome per threshold of :data:`THRESHOLDS`.
    """
    small = masks.true < SMALLEST
    wanted = ~groups & ~small
    if not len(scores):
        return [Outcome(scores, scores, int(wanted.sum()))] * len(THRESHOLDS)
    weight = groups.astype(np.int64) + small
    ignored = (masks.void + (masks.shared * related) @ weight) / masks.predicted
    return [
        _judge_at(threshold, related & (iou > threshold), wanted, ignored, scores) for threshold in THRESHOLDS
    ]


def _judge_at(
    threshold: float, matches: np.ndarray, wanted: np.ndarray, ignored: np.ndarray, scores: np.ndarray
) -> Outcome:
    alone = ~matches.any(axis=1) & (ignored <= threshold)
    found = matches[:, wanted]  # (P, W)
    hit = np.flatnonzero(found.any(axis=0))
    best = np.where(found, scores[:, None], -np.inf).argmax(axis=0)[hit]
    found[best, hit] = False
    surplus = found.nonzero()[0]
    return Outcome(
        scores[best], np.concatenate([scores[alone], scores[surplus]]), int(wanted.sum()) - len(hit)
    )


_MASKS, _BOUNDARIES = range(2)


class CityscapesAP(Evaluator):
    """Judges the predictions of each image (:mod:`vfm_fusion.evaluation.cityscapes_ap`), keeps scores.

    AP is the mean of the areas under the precision-recall curves over the IoU thresholds .5, .55, .., .95 and
    over the thing classes that have an object of at least 100 pixels; AP50 that over the classes at .5.
    Boundary AP takes min(mask IoU, boundary IoU) for the IoU, and holds objects for unrelated whose
    boundary regions do not meet.

    Args:
        categories: the evaluated classes.
        ratio: width of boundary regions over the image's diagonal.
    """

    metrics = ("AP", "AP50", "boundary_AP")
    per_class = ("AP", "AP50", "boundary_AP")

    def __init__(self, categories: Sequence[Category], ratio: float) -> None:
        self._classes = len(categories)
        self._things = [category.id for category in categories if category.isthing]
        self._ratio = ratio
        self.reset()

    @classmethod
    def of(cls, categories: Sequence[Category], ratio: float) -> Self:
        """See :meth:`Evaluator.of`."""
        return cls(categories, ratio)

    def reset(self) -> None:
        """See :meth:`Evaluator.reset`."""
        self._outcomes: dict[tuple[int, int, int], list[Outcome]] = {
            (kind, thing, step): []
            for kind in (_MASKS, _BOUNDARIES)
            for thing in self._things
            for step in range(len(THRESHOLDS))
        }

    def process(self, truth: Truth, predicted: StoredPrediction) -> None:
        """See :meth:`Evaluator.process`.

        Raises:
            ShapeError: a predicted mask is not of the image's size.
        """
        self.add(truth, predicted.instances)

    def add(self, truth: Truth, predicted: EncodedInstances) -> None:
        """Adds an image's objects."""
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

    def evaluate(self) -> Scores:
        """Returns AP, AP50 and Boundary AP, overall and per class; classes without an object are NaN."""
        areas = np.full((2, self._classes, len(THRESHOLDS)), np.nan)
        for key, outcomes in self._outcomes.items():
            areas[key] = 100 * _area(outcomes)
        tables = {"AP": areas[_MASKS], "AP50": areas[_MASKS, :, :1], "boundary_AP": areas[_BOUNDARIES]}
        per_class = {name: table.mean(axis=1) for name, table in tables.items()}
        if np.isnan(areas).all():
            reason = f"no ground-truth object of {SMALLEST} pixels or more"
            return Scores(
                dict.fromkeys(self.metrics, float("nan")), per_class, dict.fromkeys(self.metrics, reason)
            )
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
