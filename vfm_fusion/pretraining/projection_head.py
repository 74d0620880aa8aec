"""What turns a token into scores of prototypes (the head of DINO and iBOT)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ProjectionHead(nn.Module):
    """An MLP, a normalised bottleneck, and the cosine to each of a number of learned prototypes."""

    def __init__(self, channels: int, hidden: int, bottleneck: int, prototypes: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(channels, hidden),
            nn.GELU(),
            nn.Linear(hidden, hidden),
            nn.GELU(),
            nn.Linear(hidden, bottleneck),
        )
        self.prototypes = nn.Parameter(torch.randn(prototypes, bottleneck))
        for layer in self.mlp:
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=layer.in_features**-0.5)
                nn.init.zeros_(layer.bias)

    def forward(self, tokens: Tensor, *, frozen: bool = False) -> Tensor:
        """Scores tokens.

        Args:
            tokens: ``(N, channels)``.
            frozen: True if the prototypes shall not learn.

        Returns:
            ``(N, prototypes)`` cosines in [-1, 1].
        """
        prototypes = self.prototypes.detach() if frozen else self.prototypes
        return F.linear(F.normalize(self.mlp(tokens), dim=-1), F.normalize(prototypes, dim=-1))
