"""Which query answers for which target: the Hungarian matching of Mask2Former."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Generator, Tensor

from vfm_fusion.compat import ensure_torchvision
from vfm_fusion.config.head import HeadConfig

ensure_torchvision()

from transformers.models.mask2former.modeling_mask2former import (  # noqa: E402  (it imports torchvision)
    pair_wise_dice_loss,
    pair_wise_sigmoid_cross_entropy_loss,
    sample_point,
)


@torch.no_grad()
def matching_cost(
    classes: Tensor,
    masks: Tensor,
    target: Tensor,
    labels: Tensor,
    config: HeadConfig,
    generator: Generator | None,
) -> Tensor:
    """Returns what it would cost that each query answered for each target of one image, ``(Q, N)``.

    Args:
        classes: ``(Q, K + 1)`` float32 logits.
        masks: ``(Q, h, w)`` float32 logits.
        target: ``(N, H, W)`` float32, 0 or 1.
        labels: ``(N,)`` int64 classes.
        config: number of points, weights of the three costs.
        generator: draws the points, the same for all queries and targets; None for torch's own.
    """
    points = torch.rand(1, config.points, 2, device=masks.device, generator=generator)
    found = sample_point(masks[:, None], points.expand(len(masks), -1, -1), align_corners=False).squeeze(1)
    wanted = sample_point(target[:, None], points.expand(len(target), -1, -1), align_corners=False).squeeze(1)
    cost = (
        config.mask_weight * pair_wise_sigmoid_cross_entropy_loss(found, wanted)
        - config.class_weight * classes.softmax(-1)[:, labels]
        + config.dice_weight * pair_wise_dice_loss(found, wanted)
    )
    worst = torch.finfo(cost.dtype).max  # a prediction that is no number is the last to be matched
    return torch.nan_to_num(cost, nan=worst, posinf=worst, neginf=worst)


def assign(costs: Sequence[Tensor]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Finds the cheapest assignment of queries to targets for each of several ``(Q, N)`` costs.

    All costs travel from the GPU together, which waits for it once.

    Returns:
        For each cost the queries and the targets that belong together, ``(min(Q, N),)`` int64 each, in the
        order of the targets.
    """
    flat = torch.cat([cost.flatten() for cost in costs]).cpu().numpy()
    ends = np.cumsum([cost.numel() for cost in costs])
    pairs = []
    for cost, end in zip(costs, ends, strict=True):
        queries, targets = linear_sum_assignment(flat[end - cost.numel() : end].reshape(cost.shape))
        order = targets.argsort()
        pairs.append((queries[order], targets[order]))
    return pairs
