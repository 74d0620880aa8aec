"""The Mask2Former loss: Hungarian matching, then classification, mask and dice terms at sampled points."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vfm_fusion.compat import ensure_torchvision
from vfm_fusion.config.head import HeadConfig
from vfm_fusion.segmentation.head import MaskPrediction, mask2former_config

ensure_torchvision()

from transformers.models.mask2former.modeling_mask2former import (  # noqa: E402  (it imports torchvision)
    Mask2FormerLoss,
    dice_loss,
    sample_point,
    sigmoid_cross_entropy_loss,
)


class MaskCriterion(nn.Module):
    """Sums each weighted term over the final prediction and all intermediate ones (deep supervision).

    Matching, point sampling and the terms are transformers'; what differs is that predictions are put in the
    order of the targets. So the full-resolution target masks are neither padded nor copied for each of the
    ten predictions, which took a tenth of a training step.
    """

    def __init__(self, categories: int, config: HeadConfig) -> None:
        super().__init__()
        self.weights = {
            "loss_class": config.class_weight,
            "loss_mask": config.mask_weight,
            "loss_dice": config.dice_weight,
        }
        self.reference = Mask2FormerLoss(mask2former_config(config, categories), self.weights)

    def forward(
        self, prediction: MaskPrediction, masks: list[Tensor], labels: list[Tensor]
    ) -> dict[str, Tensor]:
        """Computes the loss in float32, whatever the precision of the model.

        Args:
            prediction: the head's output for a batch of B images.
            masks: per image ``(N, H, W)``, 0 or 1.
            labels: per image ``(N,)`` int64 train ids.

        Returns:
            Scalars ``loss`` and its addends ``loss_class``, ``loss_mask``, ``loss_dice``.
        """
        targets = torch.cat(masks).float()  # (M, H, W), M = sum of N
        pairs = [*prediction.intermediate, (prediction.class_logits, prediction.mask_logits)]
        with torch.autocast(prediction.class_logits.device.type, enabled=False):
            terms = [self._terms(c.float(), m.float(), targets, labels) for c, m in pairs]
            sums = torch.stack(terms).sum(dim=0)  # (P, 3) -> (3,)
        weighted = {
            name: term * weight for (name, weight), term in zip(self.weights.items(), sums, strict=True)
        }
        return {"loss": sum(weighted.values()), **weighted}

    def _terms(self, classes: Tensor, masks: Tensor, targets: Tensor, labels: list[Tensor]) -> Tensor:
        """Returns the class, mask and dice terms of one prediction, ``(3,)``."""
        counts = [len(label) for label in labels]
        matches = self.reference.matcher(masks, classes, list(targets.split(counts)), labels)
        matches = [(query[target.argsort()], target.sort().values) for query, target in matches]
        class_term = self.reference.loss_labels(classes, labels, matches)["loss_cross_entropy"]
        matched = masks[self.reference._get_predictions_permutation_indices(matches)]  # (M', H/4, W/4)
        if len(matched) < len(targets):  # more targets than queries: some stay without a query
            starts = torch.tensor([0, *counts[:-1]]).cumsum(0)
            rows = torch.cat([start + target for start, (_, target) in zip(starts, matches, strict=True)])
            targets = targets[rows.to(targets.device)]
        return torch.stack([class_term, *self._mask_terms(matched[:, None], targets[:, None], sum(counts))])

    def _mask_terms(self, logits: Tensor, targets: Tensor, count: int) -> tuple[Tensor, Tensor]:
        """Returns mask and dice terms of matched ``(M, 1, h, w)`` logits and ``(M, 1, H, W)`` targets."""
        loss = self.reference
        with torch.no_grad():
            points = loss.sample_points_using_uncertainty(
                logits,
                loss.calculate_uncertainty,
                loss.num_points,
                loss.oversample_ratio,
                loss.importance_sample_ratio,
            )  # (M, P, 2)
            wanted = sample_point(targets, points, align_corners=False).squeeze(1)  # (M, P)
        found = sample_point(logits, points, align_corners=False).squeeze(1)  # (M, P)
        masks = max(count, 1)
        return sigmoid_cross_entropy_loss(found, wanted, masks), dice_loss(found, wanted, masks)
