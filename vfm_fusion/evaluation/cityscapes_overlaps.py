"""How many pixels predicted and annotated objects of an image share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from faster_coco_eval.core import mask as coco_mask

from vfm_fusion.errors import ShapeError
from vfm_fusion.evaluation.boundary import boundary_width, map_boundary, mask_boundary
from vfm_fusion.evaluation.rle import EncodedInstances
from vfm_fusion.evaluation.truth import Truth


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
