"""The Mask2Former loss: Hungarian matching, then classification, mask and dice terms at sampled points."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vfm_fusion.compat import ensure_torchvision
from vfm_fusion.config.training import HeadConfig
from vfm_fusion.segmentation.head import MaskPrediction, mask2former_config

ensure_torchvision()

from transformers.models.mask2former.modeling_mask2former import Mask2FormerLoss  # noqa: E402


class MaskCriterion(nn.Module):
    """Sums each weighted term over the final prediction and all intermediate ones (deep supervision)."""

    def __init__(self, categories: int, config: HeadConfig) -> None:
        super().__init__()
        self.weights = {
            "loss_class": config.class_weight,
            "loss_mask": config.mask_weight,
            "loss_dice": config.dice_weight,
        }
        self.criterion = Mask2FormerLoss(mask2former_config(config, categories), self.weights)

    def forward(
        self, prediction: MaskPrediction, masks: list[Tensor], labels: list[Tensor]
    ) -> dict[str, Tensor]:
        """Computes the loss in float32, whatever the precision of the model.

        Args:
            prediction: the head's output for a batch of B images.
            masks: per image ``(N, H, W)``, 0 or 1.
            labels: per image ``(N,)`` int64 class indices.

        Returns:
            Scalars ``loss`` and its addends ``loss_class``, ``loss_mask``, ``loss_dice``.
        """
        targets = [mask.float() for mask in masks]  # cast once, not once per decoder layer
        pairs = [*prediction.intermediate, (prediction.class_logits, prediction.mask_logits)]
        terms = {name: torch.zeros((), device=prediction.class_logits.device) for name in self.weights}
        with torch.autocast(prediction.class_logits.device.type, enabled=False):
            for class_logits, mask_logits in pairs:
                found = self.criterion(mask_logits.float(), class_logits.float(), targets, labels)
                terms["loss_class"] = terms["loss_class"] + found["loss_cross_entropy"]
                terms["loss_mask"] = terms["loss_mask"] + found["loss_mask"]
                terms["loss_dice"] = terms["loss_dice"] + found["loss_dice"]
            weighted = {name: value * self.weights[name] for name, value in terms.items()}
        return {"loss": sum(weighted.values()), **weighted}
