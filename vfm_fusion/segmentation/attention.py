"""transformers' two Mask2Former attentions with their own weights and results, and less memory traffic."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vfm_fusion.compat import ensure_torchvision

ensure_torchvision()

from transformers.models.mask2former.modeling_mask2former import (  # noqa: E402  (it imports torchvision)
    Mask2FormerPixelDecoderEncoderMultiscaleDeformableAttention,
)

Grid = tuple[int, int]


class MaskedAttention(nn.MultiheadAttention):
    """Cross-attention that never returns its weights, so that torch takes a fused kernel."""

    def forward(self, query: Tensor, key: Tensor, value: Tensor, **settings: Any) -> tuple[Tensor, None]:
        """See :class:`torch.nn.MultiheadAttention`."""
        return super().forward(query, key, value, **{**settings, "need_weights": False})

    @classmethod
    def of(cls, attention: nn.MultiheadAttention) -> MaskedAttention:
        """Takes over the weights of ``attention``."""
        with torch.device("meta"):
            own = cls(attention.embed_dim, attention.num_heads, attention.dropout)
        own.load_state_dict(attention.state_dict(), assign=True)
        return own


class DeformableAttention(Mask2FormerPixelDecoderEncoderMultiscaleDeformableAttention):
    """Multi-scale deformable attention that weighs and sums the samples of each level as it takes them.

    transformers stacks the samples of all levels first, the largest tensors of the model, and holds three
    copies of them. Here cells come last in every tensor: nothing is broadcast or summed over a last axis of
    a few points or two coordinates, where a CPU computes number by number.
    """

    def forward(
        self,
        hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        encoder_hidden_states: Tensor | None = None,
        position_embeddings: Tensor | None = None,
        reference_points: Tensor | None = None,
        spatial_shapes_list: list[Grid] | None = None,
        **_: Any,
    ) -> tuple[Tensor, None]:
        """Attends to a few points of every level.

        Args:
            hidden_states: ``(B, S, D)``, one query for every cell of every level.
            attention_mask: ``(B, S)``, all false: no image is padded.
            encoder_hidden_states: ``(B, S, D)``, what is sampled.
            position_embeddings: ``(B, S, D)``, added to the queries.
            reference_points: ``(B, S, L, 2)``, the cells' centres as (x, y) in [0, 1].
            spatial_shapes_list: (height, width) of the L levels.

        Returns:
            ``(B, S, D)``, and None in place of the attention weights.
        """
        batch, cells, width = hidden_states.shape
        queries = hidden_states + position_embeddings
        points = (batch, self.n_heads, self.n_levels, self.n_points)
        offsets = _cells_last(self.sampling_offsets(queries)).view(*points, 2, cells)
        weights = _cells_last(self.attention_weights(queries)).view(batch, self.n_heads, -1, cells)
        scales = _cell_sizes(tuple(spatial_shapes_list), offsets.device, offsets.dtype)
        centres = 2 * reference_points.permute(0, 2, 3, 1).contiguous() - 1  # (B, L, 2, S)
        where = centres[:, None, :, None] + offsets * scales[:, None]  # (B, heads, L, P, 2, S)
        value = _cells_last(self.value_proj(encoder_hidden_states)).view(batch, self.n_heads, -1, cells)
        sampled = weighted_samples(value, spatial_shapes_list, where, weights.softmax(2).view(*points, cells))
        return self.output_proj(sampled.view(batch, width, cells).transpose(1, 2)), None

    @classmethod
    def of(
        cls, attention: Mask2FormerPixelDecoderEncoderMultiscaleDeformableAttention
    ) -> DeformableAttention:
        """Takes over the weights of ``attention``."""
        with torch.device("meta"):
            own = cls(attention.d_model, attention.n_heads, attention.n_levels, attention.n_points)
        own.load_state_dict(attention.state_dict(), assign=True)
        return own


def weighted_samples(value: Tensor, grids: list[Grid], where: Tensor, weights: Tensor) -> Tensor:
    """Samples every level bilinearly and sums up the weighted samples of all of them.

    Args:
        value: ``(B, heads, C, S)``; S counts the cells of all levels, one level after the other.
        grids: (height, width) of the L levels.
        where: ``(B, heads, L, P, 2, Q)``, (x, y) with -1 and 1 at the borders; 0 is sampled beyond them.
        weights: ``(B, heads, L, P, Q)``.

    Returns:
        ``(B * heads, C, Q)``.
    """
    levels = value.flatten(0, 1).split([height * width for height, width in grids], dim=2)
    total: Tensor | None = None
    for level, (cells, grid) in enumerate(zip(levels, grids, strict=True)):
        at = where[:, :, level].flatten(0, 1).transpose(2, 3)  # (B * heads, P, Q, 2)
        samples = F.grid_sample(
            cells.unflatten(2, grid), at, mode="bilinear", padding_mode="zeros", align_corners=False
        )  # (B * heads, C, P, Q)
        summed = (samples * weights[:, :, level].flatten(0, 1)[:, None]).sum(2)
        total = summed if total is None else total + summed
    return total


def _cells_last(tokens: Tensor) -> Tensor:
    """Copies ``(B, S, D)`` to ``(B, D, S)``."""
    return tokens.transpose(1, 2).contiguous()


@lru_cache(maxsize=16)
def _cell_sizes(grids: tuple[Grid, ...], device: torch.device, dtype: torch.dtype) -> Tensor:
    """Returns the width and height of a cell of each grid, whose sides are 2 long: ``(L, 2, 1)``.

    They are kept, for a GPU is waited for whenever a tensor is made of Python's numbers.
    """
    with torch.inference_mode(False):
        sizes = [[[2 / width], [2 / height]] for height, width in grids]
        return torch.tensor(sizes, device=device, dtype=dtype)
