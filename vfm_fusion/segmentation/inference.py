"""Mask2Former inference: from queries to what a task predicts of one image."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vfm_fusion.config.evaluation import EvaluationConfig, ResizeConfig
from vfm_fusion.encoders.sizes import fit_size, resize_to
from vfm_fusion.segmentation.model import FusedSegmenter
from vfm_fusion.segmentation.prediction import PredictedInstances, Prediction, Segment
from vfm_fusion.segmentation.task_classes import TaskClasses

SIZE_DIVISOR = 32
"""Images are resized to the nearest multiple of this (the head's coarsest stride)."""


@torch.inference_mode()
def predict(
    model: FusedSegmenter, images: list[np.ndarray], classes: TaskClasses, config: EvaluationConfig
) -> list[Prediction]:
    """Segments images of one size.

    The images are resized bilinearly to :func:`inference_size`; the mask logits are resized bilinearly to the
    images' own size before anything is thresholded.

    Args:
        model: the trained model, in evaluation mode.
        images: ``(H, W, 3)`` uint8 RGB, all of one size.
        classes: what the model's outputs stand for.
        config: sizes and thresholds.
    """
    height, width = images[0].shape[:2]
    device = next(model.parameters()).device
    batch = torch.from_numpy(np.stack(images)).to(device).permute(0, 3, 1, 2).float() / 255  # (B, 3, H, W)
    output = model(resize_to(batch, inference_size(height, width, config.resize)))
    return [
        decode(logits, masks, (height, width), classes, config)
        for logits, masks in zip(output.class_logits, output.mask_logits, strict=True)
    ]


def inference_size(height: int, width: int, resize: ResizeConfig | None) -> tuple[int, int]:
    """Returns the size (h, w) that an image is segmented at, in multiples of 32.

    With ``resize``, both sides are scaled so that the shorter one is ``short_side``, or the longer one
    ``max_side`` if it would be longer, and rounded, as detectron2's ``ResizeShortestEdge`` does. Either way
    the sides then go to the nearest multiples of 32 (Mask2Former pads to the next ones).

    >>> inference_size(512, 683, ResizeConfig(short_side=640, max_side=2560))
    (640, 864)
    """
    if resize is not None:
        scale = min(resize.short_side / min(height, width), resize.max_side / max(height, width))
        height, width = (int(scale * side + 0.5) for side in (height, width))
    return fit_size(height, width, SIZE_DIVISOR)


def decode(
    class_logits: Tensor,
    mask_logits: Tensor,
    size: tuple[int, int],
    classes: TaskClasses,
    config: EvaluationConfig,
) -> Prediction:
    """Turns one image's queries into predictions, as Mask2Former's released inference does.

    Args:
        class_logits: ``(Q, K + 1)``, 'no object' last.
        mask_logits: ``(Q, h, w)``.
        size: (H, W) of the image.
        classes: the task, and what the K outputs stand for.
        config: thresholds.
    """
    logits = F.interpolate(mask_logits[None].float(), size=size, mode="bilinear", align_corners=False)[0]
    masks = logits.sigmoid_()  # (Q, H, W)
    probabilities = class_logits.float().softmax(dim=-1)  # (Q, K + 1)
    if classes.task == "semantic":
        return Prediction(semantic_map(probabilities, masks), None, None, None)
    instances = scored_instances(probabilities, masks, classes, config)
    if classes.task == "instance":
        return Prediction(None, instances, None, None)
    panoptic, segments = panoptic_map(probabilities, masks, classes.things, config)
    return Prediction(semantic_map(probabilities, masks), instances, panoptic, segments)


def semantic_map(probabilities: Tensor, masks: Tensor) -> np.ndarray:
    """Returns ``(H, W)`` uint8: the class of the largest sum over queries of class times mask probability."""
    evidence = torch.einsum("qk,qhw->khw", probabilities[:, :-1], masks)  # (K, H, W)
    return evidence.argmax(dim=0).to(torch.uint8).cpu().numpy()


def scored_instances(
    probabilities: Tensor, masks: Tensor, classes: TaskClasses, config: EvaluationConfig
) -> PredictedInstances:
    """Takes the most probable (query, class) pairs and keeps the things among them.

    The score is the class probability times the mean mask probability inside the mask. Pairs whose mask is
    empty are dropped.
    """
    flat = probabilities[:, :-1].flatten()  # (Q * K,)
    values, pairs = flat.topk(min(config.top_instances, flat.numel()))
    queries, outputs = pairs // len(classes), pairs % len(classes)
    inside = masks > 0.5  # (Q, H, W)
    areas = inside.flatten(1).sum(dim=1)
    quality = (masks * inside).flatten(1).sum(dim=1) / areas.clamp(min=1)
    kept = torch.tensor(classes.isthing, device=outputs.device)[outputs] & (areas[queries] > 0)
    scores = (values * quality[queries])[kept]
    order = scores.argsort(descending=True, stable=True)
    return PredictedInstances(
        inside[queries[kept][order]].cpu().numpy(),
        np.array(classes.train_ids, np.int64)[outputs[kept][order].cpu().numpy()],
        scores[order].cpu().numpy(),
    )


def panoptic_map(
    probabilities: Tensor, masks: Tensor, things: Collection[int], config: EvaluationConfig
) -> tuple[np.ndarray, tuple[Segment, ...]]:
    """Merges confident queries: every pixel goes to the query of the largest score times mask probability.

    A query whose visible part is less than ``config.overlap`` of its own mask is dropped; queries of one
    stuff class become one segment.

    Returns:
        ``(H, W)`` int32 segment ids from 1 (0: none), and the segments.
    """
    scores, categories = probabilities.max(dim=1)
    kept = ((categories < probabilities.shape[1] - 1) & (scores > config.object_score)).nonzero()[:, 0]
    panoptic = torch.zeros(masks.shape[1:], dtype=torch.int32, device=masks.device)
    if len(kept) == 0:
        return panoptic.cpu().numpy(), ()
    owner = (scores[kept, None, None] * masks[kept]).argmax(dim=0)  # (H, W) position in `kept`
    segments: list[Segment] = []
    stuff_ids: dict[int, int] = {}
    for position, query in enumerate(kept.tolist()):
        category = int(categories[query])
        own = masks[query] >= 0.5
        won = owner == position
        visible = won & own
        if not visible.any() or won.sum() < config.overlap * own.sum():
            continue
        if category in stuff_ids:
            panoptic[visible] = stuff_ids[category]
            continue
        segments.append(Segment(len(segments) + 1, category, category in things))
        panoptic[visible] = segments[-1].id
        if category not in things:
            stuff_ids[category] = segments[-1].id
    return panoptic.cpu().numpy(), tuple(segments)
