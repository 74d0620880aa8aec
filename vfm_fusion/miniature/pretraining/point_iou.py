"""How well masks are drawn from one point."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vfm_fusion.datasets.base import Dataset, Instances, Sample
from vfm_fusion.errors import TrainingError
from vfm_fusion.miniature.pretraining.prompts import innermost_point, objects, stuff

_IMAGES = 60  # at most
_LEAST = 64  # pixels of a region
_PIXELS_AT_ONCE = 2**22  # of masks at the image's size

MasksAtPoints = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Logits ``(P, masks, h, w)`` and predicted IoUs ``(P, masks)`` from points ``(P, 2)`` of an image."""


def point_iou(
    reader: Callable[[Tensor], MasksAtPoints],
    divisor: int,
    span: int,
    stuff_classes: Sequence[int],
    dataset: Dataset,
) -> Mapping[str, float]:
    """Measures the IoU of masks that are predicted from each region's innermost point.

    Of a point's masks, the one with the highest predicted IoU counts. Images are seen at their own scale, cut
    off at the right and at the bottom.

    Args:
        reader: reads an image ``(1, 3, H, W)`` in [0, 1], and returns what then answers points.
        divisor: H and W are multiples of it.
        span: H and W are at most this, beyond which positions mean nothing to the reader.
        stuff_classes: train ids of stuff.
        dataset: labelled images, of which 60, evenly spread, are taken.

    Returns:
        ``object mIoU`` and ``stuff mIoU``: means over regions of at least 64 pixels, in percent; a kind that
        the data set lacks is left out.

    Raises:
        TrainingError: there is no region at all.
    """
    ious: dict[str, list[float]] = {"object mIoU": [], "stuff mIoU": []}
    for position in np.linspace(0, len(dataset) - 1, min(_IMAGES, len(dataset))).round().astype(int):
        sample = _cut_to(divisor, span, dataset[position])
        with torch.inference_mode():
            pixels = torch.from_numpy(np.ascontiguousarray(sample.image.transpose(2, 0, 1)))[None]
            masks_at = reader(pixels.float() / 255)
            if sample.instances is not None:
                ious["object mIoU"] += _region_ious(masks_at, objects(sample.instances, _LEAST))
            if sample.semantic is not None:
                ious["stuff mIoU"] += _region_ious(masks_at, stuff(sample.semantic, stuff_classes, _LEAST))
    measured = {name: 100 * float(np.mean(values)) for name, values in ious.items() if values}
    if not measured:
        raise TrainingError(
            f"none of {len(dataset)} images has an object or a region of stuff of {_LEAST} pixels, so masks "
            "from points cannot be measured. Give a labelled split."
        )
    return measured


def _region_ious(masks_at: MasksAtPoints, regions: Sequence[np.ndarray]) -> list[float]:
    """Returns the IoU in [0, 1] of what is predicted for each region ``(H, W)`` bool."""
    if not regions:
        return []
    size = regions[0].shape
    step = max(1, _PIXELS_AT_ONCE // (size[0] * size[1]))
    values: list[float] = []
    for start in range(0, len(regions), step):
        truth = torch.from_numpy(np.stack(regions[start : start + step]))
        points = torch.from_numpy(np.stack([innermost_point(mask) for mask in truth.numpy()]))
        logits, predicted = masks_at(points)
        best = logits[torch.arange(len(logits)), predicted.argmax(dim=1)]  # (P, h, w)
        masks = F.interpolate(best[None], size=size, mode="bilinear", align_corners=False)[0] > 0
        common = (masks & truth).sum(dim=(1, 2))
        values += (common / (masks | truth).sum(dim=(1, 2))).tolist()
    return values


def _cut_to(divisor: int, span: int, sample: Sample) -> Sample:
    """Cuts rows and columns off, so that an image's sides are multiples of ``divisor``, at most ``span``."""
    height, width = (min(side, span) // divisor * divisor for side in sample.image.shape[:2])
    whole = sample.instances
    instances = None
    if whole is not None:
        covered = None if whole.covered is None else whole.covered[:, :height, :width]
        instances = Instances(whole.ids[:height, :width], whole.categories, whole.crowd, covered)
    semantic = None if sample.semantic is None else sample.semantic[:height, :width]
    return Sample(sample.image_id, sample.image[:height, :width], semantic, instances)
