"""COCO's average precision of instance masks."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster

from vfm_fusion.datasets.base import Category
from vfm_fusion.evaluation.rle import EncodedInstances
from vfm_fusion.evaluation.scores import Scores

METRICS = ("AP", "AP50", "AP75", "APs", "APm", "APl")
PER_CLASS = ("AP", "AP50")

_LOG = logging.getLogger(__name__)
_AREAS = {"APs": "small", "APm": "medium", "APl": "large"}
_ABSENT = "no ground-truth object"
_ABSENT_SIZE = {
    "APs": "no ground-truth object of up to 32 x 32 pixels",
    "APm": "no ground-truth object of 32 x 32 to 96 x 96 pixels",
    "APl": "no ground-truth object of 96 x 96 pixels or more",
}
_MAX_DETECTIONS = 100


class AveragePrecision:
    """Collects run-length codes over images and matches them once at the end.

    AP is the mean over IoU thresholds .5 to .95 and over the thing classes that have a ground-truth object,
    with at most 100 detections per image and class; crowd regions are ignored. Sizes (APs, APm, APl) are
    COCO's, in pixels of the original image.
    """

    def __init__(self, categories: Sequence[Category]) -> None:
        self._categories = categories
        self._images: list[dict[str, int]] = []
        self._truth: list[dict[str, Any]] = []
        self._predicted: list[dict[str, Any]] = []

    def add(self, truth: EncodedInstances, predicted: EncodedInstances, size: tuple[int, int]) -> None:
        """Adds an image of ``size`` (H, W)."""
        image = len(self._images) + 1
        self._images.append({"id": image, "height": size[0], "width": size[1]})
        self._truth += _annotations(truth, image, len(self._truth) + 1)
        self._predicted += _annotations(predicted, image, len(self._predicted) + 1)

    def compute(self) -> Scores:
        """Returns the AP family and AP, AP50 per class; classes without an object are NaN."""
        things = [category.id for category in self._categories if category.isthing]
        evaluation = COCOeval_faster(
            self._coco(self._truth, things),
            self._coco(self._predicted, things),
            iouType="segm",
            print_function=_LOG.debug,
            rle_iou_max_workers=1,
        )
        evaluation.params.maxDets = [1, 10, _MAX_DETECTIONS]
        evaluation.evaluate()
        evaluation.accumulate()
        # (thresholds, recalls, classes, areas, detections) -> (T, R, K, A); -1 where there is no object
        precision = np.asarray(evaluation.eval["precision"])[..., -1]
        return self._scores(np.where(precision < 0, np.nan, precision), evaluation.params, things)

    def _scores(self, precision: np.ndarray, params: Any, things: list[int]) -> Scores:
        whole = precision[..., params.areaRngLbl.index("all")]
        at = {f"AP{100 * t:.0f}": whole[i] for i, t in enumerate(params.iouThrs)}
        parts = {"AP": whole, "AP50": at["AP50"], "AP75": at["AP75"]}
        parts |= {name: precision[..., params.areaRngLbl.index(label)] for name, label in _AREAS.items()}
        overall = {name: _mean(values) for name, values in parts.items()}
        per_class = {name: np.full(len(self._categories), np.nan) for name in PER_CLASS}
        for position, category in enumerate(things):
            per_class["AP"][category] = _mean(whole[:, :, position])
            per_class["AP50"][category] = _mean(at["AP50"][:, position])
        reasons = {
            name: _ABSENT_SIZE.get(name, _ABSENT) for name, value in overall.items() if np.isnan(value)
        }
        return Scores(overall, per_class, reasons)

    def _coco(self, annotations: list[dict[str, Any]], things: list[int]) -> COCO:
        return COCO(
            {
                "images": self._images,
                "categories": [{"id": category, "name": str(category)} for category in things],
                "annotations": annotations,
            }
        )


def _annotations(instances: EncodedInstances, image: int, first_id: int) -> list[dict[str, Any]]:
    """COCO annotations; ids begin at 1, because COCO's matching takes 0 for 'no match'."""
    return [
        {
            "id": first_id + k,
            "image_id": image,
            "category_id": int(instances.categories[k]),
            "segmentation": instances.rles[k],
            "area": float(instances.areas[k]),
            "iscrowd": int(instances.crowd[k]),
            "score": float(instances.scores[k]),
        }
        for k in range(len(instances.rles))
    ]


def _mean(values: np.ndarray) -> float:
    return float("nan") if np.isnan(values).all() else 100 * float(np.nanmean(values))
