"""The loss of Mask2Former: what each query is taught, once it is matched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from vfm_fusion.compat import ensure_torchvision
from vfm_fusion.config.head import HeadConfig
from vfm_fusion.segmentation.head import MaskPrediction
from vfm_fusion.segmentation.matching import Matcher, build_matcher

ensure_torchvision()

from transformers.models.mask2former.modeling_mask2former import (  # noqa: E402  (it imports torchvision)
    dice_loss,
    sample_point,
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

    def __init__(self, categories: int, config: HeadConfig, matcher: Matcher | None = None) -> None:
        """Prepares the loss.

        Args:
            categories: number of classes K.
            config: weights of the terms, number of points.
            matcher: which query is for which target; ``config.matcher`` names it when left out.

        Raises:
            TrainingError: the configured matcher cannot match so many classes.
        """
        super().__init__()
        self.config = config
        self.categories = categories
        self.matcher = matcher or build_matcher(config, categories)
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
            queries, rows = self.matcher.match(layers, targets, labels, draws)
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
        counts = [min(len(label), self.config.queries) for label in labels]
        points = uncertain_points(logits[:, None], counts, self.config, draws)  # (M', P, 2)
        wanted = matched_samples(targets, rows, points)
        found = sample_point(logits[:, None], points, align_corners=False).squeeze(1)  # (M', P)
        masks = max(totals.masks, 1)
        return torch.stack(
            [sigmoid_cross_entropy_loss(found, wanted, masks), dice_loss(found, wanted, masks)]
        )


@torch.no_grad()
def matched_samples(targets: Tensor, rows: Tensor, points: Tensor) -> Tensor:
    """Samples the targets that have a query, each at its own points.

    Where others have none, all are sampled, for to copy the masks of those that have one takes longer.

    Args:
        targets: ``(M, H, W)`` float32, 0 or 1.
        rows: ``(M',)`` int64, the targets that have a query, ascending.
        points: ``(M', P, 2)`` coordinates x, y in [0, 1].

    Returns:
        ``(M', P)`` float32.
    """
    if len(rows) < len(targets):
        everywhere = points.new_zeros(len(targets), *points.shape[1:]).index_copy(0, rows, points)
        return sample_point(targets[:, None], everywhere, align_corners=False).squeeze(1)[rows]
    return sample_point(targets[:, None], points, align_corners=False).squeeze(1)


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
