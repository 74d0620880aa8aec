"""Which patches of a view are hidden, and how they are hidden from a ViT."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vfm_fusion.encoders.tokens import TokenState


def draw_mask(grid: int, share: tuple[float, float], rng: np.random.Generator) -> np.ndarray:
    """Hides rectangles of patches until a random share is hidden (BEiT's block-wise masking).

    Args:
        grid: patches along a side of the view.
        share: smallest and largest share of hidden patches; drawn uniformly.
        rng: the step's stream.

    Returns:
        ``(grid, grid)`` bool, True where hidden; at least one patch is, and at least one is not. The number
        of hidden patches is the share, rounded.
    """
    wanted = int(np.clip(round(rng.uniform(*share) * grid * grid), 1, grid * grid - 1))
    mask = np.zeros((grid, grid), bool)
    while mask.sum() < wanted:
        height, width = rng.integers(1, max(2, grid // 2 + 1), size=2)
        top, left = rng.integers(grid - height + 1), rng.integers(grid - width + 1)
        mask[top : top + height, left : left + width] = True
    hidden = np.flatnonzero(mask)
    mask.flat[rng.permutation(hidden)[wanted:]] = False
    return mask


def hide_patches(patches: TokenState, masks: Tensor, token: Tensor) -> TokenState:
    """Replaces the embeddings of hidden patches, before positions are added.

    Args:
        patches: a ViT's embedded patches, ``h w`` tokens of C channels.
        masks: ``(B, h, w)`` bool, True where hidden.
        token: ``(C,)``, what stands in their place.
    """
    tokens = patches.tokens
    return patches.with_tokens(torch.where(masks.flatten(1)[..., None], token.to(tokens.dtype), tokens))
