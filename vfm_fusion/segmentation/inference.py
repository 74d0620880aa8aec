"""Mask2Former inference: from queries to what a task predicts of one image."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vfm_fusion.config.evaluation import EvaluationConfig, ResizeConfig, WindowConfig, segmented_size
from vfm_fusion.datasets.fitting import fit_image
from vfm_fusion.encoders.sizes import resize_to
from vfm_fusion.errors import ConfigError
from vfm_fusion.segmentation.encoded import Encoded
from vfm_fusion.segmentation.head import MaskPrediction
from vfm_fusion.segmentation.model import FusedSegmenter
from vfm_fusion.segmentation.prediction import PredictedInstances, Prediction, Segment
from vfm_fusion.segmentation.task_classes import TaskClasses


@torch.inference_mode()
def predict(
    model: FusedSegmenter, images: list[np.ndarray], classes: TaskClasses, config: EvaluationConfig
) -> list[Prediction]:
    """Segments images of one size.

    The images are resized bilinearly to :func:`inference_size`; the mask logits are resized bilinearly to the
    images' own size before anything is thresholded. With ``config.window``, an image that is larger than one
    window is segmented by :func:`windowed_evidence` instead, which is resized in the place of mask logits.

    Args:
        model: the trained model, in evaluation mode.
        images: ``(H, W, 3)`` uint8 RGB, all of one size.
        classes: what the model's outputs stand for.
        config: sizes and thresholds.

    Raises:
        ConfigError: windows are configured, and the task has objects.
    """
    if config.window is not None and classes.task != "semantic":
        raise ConfigError(
            f"evaluation.window: objects cannot be merged over windows, and the task is {classes.task}; "
            "leave it at null, or train the task semantic"
        )
    height, width = images[0].shape[:2]
    resized = seen_images(images, config.resize, next(model.parameters()).device)
    if config.window is not None and len(windows(tuple(resized.shape[-2:]), config.window)) > 1:
        evidence = _resized(windowed_evidence(model, resized, config.window), (height, width))
        return [Prediction(_most_evident(single), None, None, None) for single in evidence]
    return _decoded(model(resized), (height, width), classes, config)


def seen_images(images: list[np.ndarray], resize: ResizeConfig | None, device: torch.device) -> Tensor:
    """Brings images of one size to :func:`inference_size`.

    Args:
        images: ``(H, W, 3)`` uint8 RGB.
        resize: how they are resized.
        device: where that is done.

    Returns:
        ``(B, 3, h, w)`` float RGB in [0, 1].
    """
    batch = torch.from_numpy(np.stack(images)).to(device).permute(0, 3, 1, 2).float() / 255
    resized = resize_to(batch, inference_size(*images[0].shape[:2], resize))
    return resized.clamp_(0, 1)  # antialiasing rounds


@torch.inference_mode()
def predict_encoded(
    model: FusedSegmenter,
    encoded: Encoded,
    size: tuple[int, int],
    classes: TaskClasses,
    config: EvaluationConfig,
) -> list[Prediction]:
    """Segments images that frozen encoders have seen at :func:`inference_size`; as :func:`predict` does.

    Args:
        model: the trained model, in evaluation mode; its encoders do not run.
        encoded: what they have made of the images, on the device of the model.
        size: (H, W) of the images themselves.
        classes: what the model's outputs stand for.
        config: thresholds; no windows.
    """
    return _decoded(model(encoded), size, classes, config)


def _decoded(
    output: MaskPrediction, size: tuple[int, int], classes: TaskClasses, config: EvaluationConfig
) -> list[Prediction]:
    return [
        decode(logits, masks, size, classes, config)
        for logits, masks in zip(output.class_logits, output.mask_logits, strict=True)
    ]


def windows(size: tuple[int, int], config: WindowConfig) -> list[tuple[slice, slice]]:
    """Returns the rows and columns of every window over an image.

    >>> windows((32, 96), WindowConfig(size=(32, 64), stride=(32, 48)))
    [(slice(0, 32, None), slice(0, 64, None)), (slice(0, 32, None), slice(32, 96, None))]
    """
    sides = zip(size, config.size, config.stride, strict=True)
    rows, columns = (_spans(length, min(window, length), step) for length, window, step in sides)
    return [(row, column) for row in rows for column in columns]


def _spans(length: int, window: int, stride: int) -> list[slice]:
    """Windows along one side; the last one is moved back to end at the border."""
    count = -(-(length - window) // stride) + 1
    starts = [min(position * stride, length - window) for position in range(count)]
    return [slice(start, start + window) for start in starts]


def windowed_evidence(
    model: Callable[[Tensor], MaskPrediction], images: Tensor, config: WindowConfig
) -> Tensor:
    """Segments images window by window, and averages the evidence for each class where windows overlap.

    Args:
        model: from ``(B, 3, h, w)`` to its prediction.
        images: ``(B, 3, H, W)`` float RGB in [0, 1]; H and W multiples of 32.
        config: size and stride of the windows.

    Returns:
        ``(B, K, H, W)`` float32, see :func:`class_evidence`.
    """
    total, count = None, images.new_zeros(images.shape[-2:])
    for rows, columns in windows(tuple(images.shape[-2:]), config):
        window = images[..., rows, columns]
        output = model(window)
        masks = _resized(output.mask_logits.float(), tuple(window.shape[-2:])).sigmoid_()
        evidence = class_evidence(output.class_logits.float().softmax(dim=-1), masks)
        if total is None:
            total = evidence.new_zeros(*evidence.shape[:2], *images.shape[-2:])
        total[..., rows, columns] += evidence
        count[rows, columns] += 1
    return total / count


def _resized(maps: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(maps, size=size, mode="bilinear", align_corners=False)


def inference_size(height: int, width: int, resize: ResizeConfig | None) -> tuple[int, int]:
    """Returns the size (h, w) that an image is segmented at, in multiples of 32.

    With ``resize``, both sides are scaled so that the shorter one is ``short_side``, or the longer one
    ``max_side`` if it would be longer, and rounded, as detectron2's ``ResizeShortestEdge`` does. Either way
    the sides then go to the nearest multiples of 32 (Mask2Former pads to the next ones).

    >>> inference_size(512, 683, ResizeConfig(short_side=640, max_side=2560))
    (640, 864)
    """
    return fit_image(height, width, segmented_size(resize)).size


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
    masks = _resized(mask_logits[None].float(), size)[0].sigmoid_()  # (Q, H, W)
    probabilities = class_logits.float().softmax(dim=-1)  # (Q, K + 1)
    if classes.task == "semantic":
        return Prediction(semantic_map(probabilities, masks), None, None, None)
    instances = scored_instances(probabilities, masks, classes, config)
    if classes.task == "instance":
        return Prediction(None, instances, None, None)
    panoptic, segments = panoptic_map(probabilities, masks, classes.things, config)
    return Prediction(semantic_map(probabilities, masks), instances, panoptic, segments)


def class_evidence(probabilities: Tensor, masks: Tensor) -> Tensor:
    """Returns ``(..., K, H, W)``: for each class, the sum over queries of class times mask probability.

    Args:
        probabilities: ``(..., Q, K + 1)``, 'no object' last.
        masks: ``(..., Q, H, W)`` in [0, 1].
    """
    return torch.einsum("...qk,...qhw->...khw", probabilities[..., :-1], masks)


def semantic_map(probabilities: Tensor, masks: Tensor) -> np.ndarray:
    """Returns ``(H, W)`` uint8: the class of the most evidence."""
    return _most_evident(class_evidence(probabilities, masks))


def _most_evident(evidence: Tensor) -> np.ndarray:
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
