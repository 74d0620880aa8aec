"""Attention whose weights, averaged over heads, sum up raw features (JAFAR, AnyUp)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vfm_fusion.upsampling.guidance import WIDTH
from vfm_fusion.upsampling.norms import rms_norm

HEADS = 4


class HeadMeanAttention(nn.Module):
    """Weights of keys for every query.

    ``attention`` is torch's, for the names and shapes of its parameters: its projections of queries and keys
    are used here, those of values and of the output never, as in the released code.
    """

    def __init__(self, value_channels: int = WIDTH, value_norm: bool = False) -> None:
        super().__init__()
        self.norm_q, self.norm_k = nn.RMSNorm(WIDTH), nn.RMSNorm(WIDTH)
        if value_norm:
            self.norm_v = nn.RMSNorm(value_channels)
        self.attention = nn.MultiheadAttention(WIDTH, HEADS, vdim=value_channels, batch_first=True)

    def keys(self, maps: Tensor) -> Tensor:
        """Projects ``(B, 128, h, w)`` to keys ``(B, h w, 128)``."""
        return self._projected(maps, self.norm_k, 1)

    def queries(self, maps: Tensor) -> Tensor:
        """Projects ``(B, 128, n, W)`` to queries ``(B, n W, 128)``."""
        return self._projected(maps, self.norm_q, 0)

    def weights(self, queries: Tensor, keys: Tensor, hidden: Tensor | None = None) -> Tensor:
        """Returns the weight of every key for every query, averaged over the heads.

        Args:
            queries: ``(B, N, 128)``.
            keys: ``(B, M, 128)``.
            hidden: ``(N, M)``, which keys a query does not see; every query sees one at least.

        Returns:
            ``(B, N, M)``, rows sum to 1.
        """
        size, total = WIDTH // HEADS, None
        for head in range(HEADS):
            part = slice(head * size, (head + 1) * size)
            logits = (queries[..., part] * size**-0.5) @ keys[..., part].transpose(1, 2)
            if hidden is not None:
                logits = logits.masked_fill(hidden, -torch.inf)
            weights = logits.softmax(-1)
            total = weights if total is None else total + weights
        return total / HEADS

    def _projected(self, maps: Tensor, norm: nn.RMSNorm, part: int) -> Tensor:
        weight = self.attention.in_proj_weight
        if weight is None:
            weight = (self.attention.q_proj_weight, self.attention.k_proj_weight)[part]
        else:
            weight = weight[part * WIDTH : (part + 1) * WIDTH]
        bias = self.attention.in_proj_bias[part * WIDTH : (part + 1) * WIDTH]
        return F.linear(rms_norm(maps.flatten(2).transpose(1, 2), norm), weight, bias)


def weighted(features: Tensor, weights: Tensor, rows: int) -> Tensor:
    """Sums features by weights.

    Args:
        features: ``(B, C, M)``.
        weights: ``(B, rows * W, M)``.
        rows: rows of the result.

    Returns:
        ``(B, C, rows, W)``.
    """
    return (features @ weights.transpose(1, 2)).unflatten(2, (rows, -1))
