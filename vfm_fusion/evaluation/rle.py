"""Run-length encoded masks in COCO's format."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from faster_coco_eval.core import mask as coco_mask

from vfm_fusion.datasets.base import Instances
from vfm_fusion.segmentation.prediction import PredictedInstances


@dataclass(frozen=True)
class EncodedInstances:
    """Objects of one image as run-length codes.

    Attributes:
        rles: COCO codes, ``{"size": [H, W], "counts": bytes}``.
        areas: ``(n,)`` pixels; of the truth as the data set states them, where it does.
        categories: ``(n,)`` train ids.
        crowd: ``(n,)`` bool; True for regions of several objects, only in the truth.
        scores: ``(n,)`` confidences; 1 in the truth.
    """

    rles: list[dict[str, Any]]
    areas: np.ndarray
    categories: np.ndarray
    crowd: np.ndarray
    scores: np.ndarray


def encode_truth(instances: Instances) -> EncodedInstances:
    """Encodes annotated objects whole, whatever covers them, those that draw no pixel among them."""
    rles = [encode_mask(instances.mask(position)) for position in range(len(instances))]
    drawn = np.array([coco_mask.area(rle) for rle in rles], np.int64)
    areas = drawn if instances.areas is None else instances.areas
    return EncodedInstances(rles, areas, instances.categories, instances.crowd, np.ones(len(rles)))


def encode_predictions(instances: PredictedInstances) -> EncodedInstances:
    """Encodes predicted objects in their order."""
    return EncodedInstances(
        [encode_mask(mask) for mask in instances.masks],
        instances.masks.sum(axis=(1, 2)),
        instances.categories,
        np.zeros(len(instances.categories), bool),
        instances.scores,
    )


def decode_mask(rle: dict[str, Any]) -> np.ndarray:
    """Decodes a COCO run-length code: ``(H, W)`` bool."""
    return coco_mask.decode(rle).astype(bool)


def encode_mask(mask: np.ndarray) -> dict[str, Any]:
    """Encodes a ``(H, W)`` bool mask."""
    return coco_mask.encode(np.asfortranarray(mask, dtype=np.uint8))
