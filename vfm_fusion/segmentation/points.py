"""Random points of a mask, more of them where the prediction is uncertain (PointRend)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from vfm_fusion.compat import ensure_torchvision
from vfm_fusion.config.head import HeadConfig

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
