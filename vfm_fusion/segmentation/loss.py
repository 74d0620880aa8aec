"""Random points of a mask, more of them where the prediction is uncertain (PointRend)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Generator, Tensor, nn
from torch.nn import functional

from vfm_fusion.compat import ensure_torchvision
from vfm_fusion.config.head import HeadConfig
from vfm_fusion.segmentation.head import MaskPrediction

ensure_torchvision()

from transformers.models.mask2former.modeling_mask2former import sample_point  # noqa: E402


@torch.no_grad()
def uncertain_points(
    logits: Tensor, counts: Sequence[int], config: HeadConfig, generators: Sequence[Generator | None]
) -> Tensor:
    """Draws the points at which the loss of each mask is computed.

    Args:
        logits: ``(M, 1, h, w)`` float32 mask logits, those of an image one after another.
        counts: how many of them each image has.
        config: number of points, oversampling, and the share that is taken for its uncertainty.
        generators: one an image, which alone draws the points of its masks; None for torch's own.

    Returns:
        ``(M, P, 2)`` float32 coordinates x, y in [0, 1].
    """
    candidates = int(config.points * config.oversample)
    uncertain = int(config.points * config.importance)
    drawn = torch.empty(len(logits), candidates, 2, device=logits.device)
    others = torch.empty(len(logits), config.points - uncertain, 2, device=logits.device)
    start = 0
    for count, generator in zip(counts, generators, strict=True):
        drawn[start : start + count].uniform_(generator=generator)
        others[start : start + count].uniform_(generator=generator)
        start += count
    certainty = sample_point(logits, drawn, align_corners=False).abs().squeeze(1)  # (M, candidates)
    chosen = certainty.topk(uncertain, dim=1, largest=False).indices
    return torch.cat([drawn.gather(1, chosen[..., None].expand(-1, -1, 2)), others], dim=1)


ensure_torchvision()

from transformers.models.mask2former.modeling_mask2former import (  # noqa: E402  (it imports torchvision)
    pair_wise_dice_loss,
    pair_wise_sigmoid_cross_entropy_loss,
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


ensure_torchvision()

from transformers.models.mask2former.modeling_mask2former import (  # noqa: E402  (it imports torchvision)
    dice_loss,
    sigmoid_cross_entropy_loss,
)

TERMS = ("loss_class", "loss_mask", "loss_dice")
"""Addends of the loss."""


@dataclass(frozen=True)
class StepTotals:
    """What the terms of all images of an optimiser step are divided by, wherever those images are.

    Attributes:
        images: number of images.
        masks: number of target masks.
        matched: number of targets that get a query: all, unless an image has more targets than queries.
    """

    images: int
    masks: int
    matched: int


class MaskCriterion(nn.Module):
    """Sums each weighted term over the final prediction and all intermediate ones (deep supervision).

    The terms are transformers'. What differs is how they are put together:

    - Predictions are put in the order of the targets. So the full-resolution target masks are neither padded
      nor copied for each of the ten predictions, which took a tenth of a training step.
    - The costs of all predictions are computed before the first is matched: a GPU is waited for once.
    - Each image draws its points with a generator of its own, so they do not depend on its neighbours.
    - Terms are divided by :class:`StepTotals`. For the mask and dice terms that is Mask2Former's rule (the
      number of target masks, averaged over the processes, whose gradients are then averaged too), but for
      its lower limit of one mask a process: here it is one mask a step. The class term is the weighted mean
      over all queries of the step; Mask2Former averages the means of the processes, which counts an image
      more where its neighbours have fewer targets. So the losses of the parts of a step add up to the loss
      of the step, however it is divided.
    """

    def __init__(self, categories: int, config: HeadConfig) -> None:
        super().__init__()
        self.config = config
        self.categories = categories
        self.register_buffer(
            "class_weights",
            torch.tensor([1.0] * categories + [config.no_object_weight]),
            persistent=False,
        )

    def totals(self, labels: Sequence[Tensor]) -> StepTotals:
        """Counts images, target masks and matched targets, given the ``(N,)`` labels of each image."""
        counts = [len(label) for label in labels]
        return StepTotals(len(counts), sum(counts), sum(min(n, self.config.queries) for n in counts))

    def forward(
        self,
        prediction: MaskPrediction,
        masks: Sequence[Tensor],
        labels: Sequence[Tensor],
        totals: StepTotals | None = None,
        generators: Sequence[Generator] | None = None,
    ) -> dict[str, Tensor]:
        """Computes the loss in float32, whatever the precision of the model.

        Args:
            prediction: the head's output for a batch of B images.
            masks: per image ``(N, H, W)``, 0 or 1.
            labels: per image ``(N,)`` int64 train ids.
            totals: those of the whole step of which this batch is a part; the batch is all when left out.
            generators: per image, on the device of the prediction; torch's own when left out.

        Returns:
            Scalars ``loss`` and its addends ``loss_class``, ``loss_mask``, ``loss_dice``.
        """
        totals = totals or self.totals(labels)
        draws = [None] * len(labels) if generators is None else list(generators)
        pairs = [*prediction.intermediate, (prediction.class_logits, prediction.mask_logits)]
        with torch.autocast(prediction.class_logits.device.type, enabled=False):
            targets = torch.cat(list(masks)).float()  # (M, H, W), M = sum of N
            layers = [(classes.float(), logits.float()) for classes, logits in pairs]
            queries, rows = self._matches(layers, targets, labels, draws)
            class_term = self._class_term([classes for classes, _ in layers], queries, rows, labels, totals)
            mask_terms = [
                self._mask_terms(logits.flatten(0, 1)[query], targets, row, labels, totals, draws)
                for (_, logits), query, row in zip(layers, queries, rows, strict=True)
            ]
            mask_term, dice_term = torch.stack(mask_terms).sum(dim=0)
        weighted = {
            "loss_class": self.config.class_weight * class_term,
            "loss_mask": self.config.mask_weight * mask_term,
            "loss_dice": self.config.dice_weight * dice_term,
        }
        return {"loss": sum(weighted.values()), **weighted}

    def _matches(
        self,
        layers: list[tuple[Tensor, Tensor]],
        targets: Tensor,
        labels: Sequence[Tensor],
        draws: Sequence[Generator | None],
    ) -> tuple[Tensor, Tensor]:
        """Matches every layer: which query, of all images' (B * Q), is for which of the M targets.

        Returns:
            Queries and targets, ``(L, M')`` int64 each, in the order of the targets; M' of the M are matched.
        """
        split = targets.split([len(label) for label in labels])
        costs = [
            matching_cost(classes[i], logits[i], split[i], labels[i], self.config, draws[i])
            for classes, logits in layers
            for i in range(len(labels))
        ]
        starts = np.cumsum([0, *(len(label) for label in labels)])[:-1]
        pairs = assign(costs)
        per_layer = [pairs[i : i + len(labels)] for i in range(0, len(pairs), len(labels))]
        found = np.stack(
            [
                (
                    np.concatenate([q + i * layers[0][0].shape[1] for i, (q, _) in enumerate(layer)]),
                    np.concatenate([t + start for start, (_, t) in zip(starts, layer, strict=True)]),
                )
                for layer in per_layer
            ],
            axis=1,
        )  # (2, L, M')
        queries, rows = torch.from_numpy(found.astype(np.int64)).to(targets.device)
        return queries, rows

    def _class_term(
        self,
        classes: list[Tensor],
        queries: Tensor,
        rows: Tensor,
        labels: Sequence[Tensor],
        totals: StepTotals,
    ) -> Tensor:
        """Returns the weighted mean cross-entropy of the step's queries, summed over layers, scalar."""
        flat = torch.stack(classes).flatten(1, 2)  # (L, B * Q, K + 1)
        wanted = torch.full(flat.shape[:2], self.categories, device=flat.device)
        wanted.scatter_(1, queries, torch.cat(list(labels))[rows])
        total = functional.cross_entropy(
            flat.flatten(0, 1), wanted.flatten(), self.class_weights, reduction="sum"
        )
        unmatched = totals.images * self.config.queries - totals.matched
        return total / ((totals.matched + unmatched * self.config.no_object_weight) or 1.0)

    def _mask_terms(
        self,
        logits: Tensor,
        targets: Tensor,
        rows: Tensor,
        labels: Sequence[Tensor],
        totals: StepTotals,
        draws: Sequence[Generator | None],
    ) -> Tensor:
        """Returns mask and dice terms of matched ``(M', h, w)`` logits of one layer, ``(2,)``."""
        if len(rows) < len(targets):  # more targets than queries: some stay without a query
            targets = targets[rows]
        counts = [min(len(label), self.config.queries) for label in labels]
        points = uncertain_points(logits[:, None], counts, self.config, draws)  # (M', P, 2)
        with torch.no_grad():
            wanted = sample_point(targets[:, None], points, align_corners=False).squeeze(1)  # (M', P)
        found = sample_point(logits[:, None], points, align_corners=False).squeeze(1)  # (M', P)
        masks = max(totals.masks, 1)
        return torch.stack(
            [sigmoid_cross_entropy_loss(found, wanted, masks), dice_loss(found, wanted, masks)]
        )
