"""The normalised focal loss of click models (Sofiiuk et al., "AdaptIS", ICCV 2019)."""

from __future__ import annotations

import torch
from torch import Tensor

IGNORED = -1
"""Label of pixels that are left out."""

_EPS = 1e-12


def normalised_focal_loss(logits: Tensor, truth: Tensor, alpha: float = 0.5, gamma: float = 2.0) -> Tensor:
    """Computes the loss of each image.

    With p_t the probability of the true class and b = (1 - p_t)^gamma, the loss is the mean over the N
    labelled pixels of -alpha m b log p_t. The factor m = N / sum b keeps the mean of the weights m b at 1
    however good the prediction is; no gradient flows through it.

    Args:
        logits: ``(B, 1, H, W)``.
        truth: ``(B, 1, H, W)``; 1 on the object, 0 off it, :data:`IGNORED` where it is not known.
        alpha: weight of either class.
        gamma: exponent.

    Returns:
        ``(B,)`` float32; 0 for an image without labelled pixel.
    """
    labelled = truth != IGNORED
    signed = torch.where(truth == 1, logits, -logits).float()
    true = torch.where(labelled, signed.sigmoid(), 1.0)
    focus = torch.where(labelled, (-signed).sigmoid() ** gamma, 0.0)
    count = labelled.flatten(1).sum(dim=1)
    factor = (count / (focus.flatten(1).sum(dim=1) + _EPS)).detach()
    pixels = -alpha * focus * (true + _EPS).clamp(max=1).log()
    return factor * pixels.flatten(1).sum(dim=1) / count.clamp(min=1)
