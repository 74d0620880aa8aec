"""How far predicted masks and predicted IoUs are from the truth."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_ALPHA = 0.25  # weight of a region's own pixels in the focal loss; others have 1 - alpha
_GAMMA = 2.0


def focal_losses(logits: Tensor, coverage: Tensor) -> Tensor:
    """Focal loss, the mean over pixels; a pixel that is covered in part counts in part for both sides.

    Args:
        logits: ``(..., h, w)``.
        coverage: the same shape, in [0, 1].

    Returns:
        ``(...)``.
    """
    share = torch.sigmoid(logits)
    inside = _ALPHA * coverage * (1 - share) ** _GAMMA * F.logsigmoid(logits)
    outside = (1 - _ALPHA) * (1 - coverage) * share**_GAMMA * F.logsigmoid(-logits)
    return -(inside + outside).mean(dim=(-2, -1))


def dice_losses(logits: Tensor, coverage: Tensor) -> Tensor:
    """One minus the dice coefficient, smoothed by one pixel; shapes as in :func:`focal_losses`."""
    share = torch.sigmoid(logits)
    common = (share * coverage).sum(dim=(-2, -1))
    total = share.sum(dim=(-2, -1)) + coverage.sum(dim=(-2, -1))
    return 1 - (2 * common + 1) / (total + 1)


def ious(logits: Tensor, coverage: Tensor) -> Tensor:
    """IoU of the masks where logits are above 0, in [0, 1]; shapes as in :func:`focal_losses`."""
    mask = (logits > 0).to(coverage.dtype)
    common = (mask * coverage).sum(dim=(-2, -1))
    union = mask.sum(dim=(-2, -1)) + coverage.sum(dim=(-2, -1)) - common
    return common / union.clamp(min=torch.finfo(coverage.dtype).tiny)
