"""Average precision of instance masks by COCO's protocol, of masks and of their boundaries."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from faster_coco_eval import COCO, COCOeval_faster

from vfm_fusion.datasets.base import Category
from vfm_fusion.evaluation.evaluator import Evaluator, Scores, Truth
from vfm_fusion.evaluation.predictions import StoredPrediction
from vfm_fusion.evaluation.rle import EncodedInstances, encode_truth

_LOG = logging.getLogger(__name__)
_AREAS = {"APs": "small", "APm": "medium", "APl": "large"}
_ABSENT = "no ground-truth object"
_ABSENT_SIZE = {
    "APs": "no ground-truth object of up to 32 x 32 pixels",
    "APm": "no ground-truth object of 32 x 32 to 96 x 96 pixels",
    "APl": "no ground-truth object of 96 x 96 pixels or more",
}
_MAX_DETECTIONS = 100


class CocoAP(Evaluator):
    """Collects run-length codes over images and matches them once at the end, as pycocotools does.

    AP is the mean of the precision at the recalls 0, .01, .., 1 over IoU thresholds .5 to .95 and over the
    thing classes that have a ground-truth object, with at most 100 detections per image and class; crowd
    regions are ignored, and an object that draws no pixel is one that is missed. Sizes (APs, APm, APl) are
    COCO's, in pixels of the original image. Boundary AP takes min(mask IoU, boundary IoU) for the IoU with
    all but crowds (Cheng et al., CVPR 2021; see :mod:`vfm_fusion.evaluation.boundary`).

    Args:
        categories: the evaluated classes.
        ratio: width of boundary regions over the image's diagonal.
    """

    metrics = ("AP", "AP50", "AP75", "APs", "APm", "APl", "boundary_AP")
    per_class = ("AP", "AP50", "boundary_AP")

    def __init__(self, categories: Sequence[Category], ratio: float) -> None:
        self._categories = categories
        self._things = [category.id for category in categories if category.isthing]
        self._ratio = ratio
        self.reset()

    @classmethod
    def of(cls, categories: Sequence[Category], ratio: float) -> Self:
        """See :meth:`Evaluator.of`."""
        return cls(categories, ratio)

    def reset(self) -> None:
        """See :meth:`Evaluator.reset`."""
        self._images: list[dict[str, int]] = []
        self._truth: list[dict[str, Any]] = []
        self._predicted: list[dict[str, Any]] = []

    def process(self, truth: Truth, predicted: StoredPrediction) -> None:
        """See :meth:`Evaluator.process`."""
        self.add(truth, predicted.instances)

    def add(self, truth: Truth, predicted: EncodedInstances) -> None:
        """Adds an image's objects, which may overlap."""
        image = len(self._images) + 1
        height, width = truth.void.shape
        self._images.append({"id": image, "height": height, "width": width})
        self._truth += _annotations(encode_truth(truth.instances), image, len(self._truth) + 1)
        self._predicted += _annotations(predicted, image, len(self._predicted) + 1)

    def evaluate(self) -> Scores:
        """Returns the AP family and, per class, AP, AP50 and Boundary AP (NaN without an object)."""
        whole, params = self._precision("segm")
        boundary, _ = self._precision("boundary")
        return self._scores(whole, boundary[..., params.areaRngLbl.index("all")], params)

    def _precision(self, kind: str) -> tuple[np.ndarray, Any]:
        """Returns ``(thresholds, recalls, classes, areas)`` precisions, NaN without an object."""
        evaluation = COCOeval_faster(
            self._coco(self._truth),
            self._coco(self._predicted),
            iouType=kind,
            print_function=_LOG.debug,
            rle_iou_max_workers=1,
            boundary_dilation_ratio=self._ratio,
        )
        evaluation.params.maxDets = [1, 10, _MAX_DETECTIONS]
        evaluation.evaluate()
        evaluation.accumulate()
        precision = np.asarray(evaluation.eval["precision"])[..., -1]  # (T, R, K, A, detections)
        return np.where(precision < 0, np.nan, precision), evaluation.params

    def _scores(self, precision: np.ndarray, boundary: np.ndarray, params: Any) -> Scores:
        whole = precision[..., params.areaRngLbl.index("all")]
        at = {f"AP{100 * t:.0f}": whole[i] for i, t in enumerate(params.iouThrs)}
        parts = {"AP": whole, "AP50": at["AP50"], "AP75": at["AP75"]}
        parts |= {name: precision[..., params.areaRngLbl.index(label)] for name, label in _AREAS.items()}
        parts["boundary_AP"] = boundary
        overall = {name: _mean(values) for name, values in parts.items()}
        per_class = {name: np.full(len(self._categories), np.nan) for name in self.per_class}
        for position, category in enumerate(self._things):
            for name in self.per_class:
                per_class[name][category] = _mean(parts[name][..., position])
        reasons = {
            name: _ABSENT_SIZE.get(name, _ABSENT) for name, value in overall.items() if np.isnan(value)
        }
        return Scores(overall, per_class, reasons)

    def _coco(self, annotations: list[dict[str, Any]]) -> COCO:
        return COCO(
            {
                "images": self._images,
                "categories": [{"id": category, "name": str(category)} for category in self._things],
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
