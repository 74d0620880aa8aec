"""Which patches of a view are hidden, and how they are hidden from a ViT."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn


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


@contextmanager
def hidden_patches(patch_embedding: nn.Module, masks: Tensor, token: Tensor) -> Iterator[None]:
    """Replaces the embeddings of hidden patches while a ViT runs, before positions are added.

    Args:
        patch_embedding: the ViT's; it returns ``(B, h, w, C)``.
        masks: ``(B, h, w)`` bool, True where hidden.
        token: ``(C,)``, what stands in their place.
    """
    handle = patch_embedding.register_forward_hook(
        lambda module, args, embedded: torch.where(masks[..., None], token.to(embedded.dtype), embedded)
    )
    try:
        yield
    finally:
        handle.remove()
