"""What turns a token into scores of prototypes (the head of DINO and iBOT)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ProjectionHead(nn.Module):
    """An MLP, a normalised bottleneck, and the cosine to each of a number of learned prototypes.

    Before the bottleneck's tokens are brought to length 1, every channel is standardised over the batch: what
    all tokens share would otherwise hide, for the length of a short training, how they differ.
    """

    def __init__(self, channels: int, hidden: int, bottleneck: int, prototypes: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Linear(channels, hidden),
            nn.GELU(),
            nn.Linear(hidden, hidden),
            nn.GELU(),
            nn.Linear(hidden, bottleneck),
        )
        self.spread = nn.BatchNorm1d(bottleneck, affine=False, track_running_stats=False)
        self.prototypes = nn.Parameter(torch.randn(prototypes, bottleneck))
        for layer in self.mlp:
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=layer.in_features**-0.5)
                nn.init.zeros_(layer.bias)

    def forward(self, tokens: Tensor, *, frozen: bool = False) -> Tensor:
        """Scores tokens.

        Args:
            tokens: ``(N, channels)``, N > 1.
            frozen: True if the prototypes shall not learn.

        Returns:
            ``(N, prototypes)`` cosines in [-1, 1].
        """
        prototypes = self.prototypes.detach() if frozen else self.prototypes
        return F.linear(F.normalize(self.spread(self.mlp(tokens)), dim=-1), F.normalize(prototypes, dim=-1))
