"""Which predicted objects of an image are right, wrong or ignored, as cityscapesScripts decides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vfm_fusion.evaluation.cityscapes_overlaps import Overlaps

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
