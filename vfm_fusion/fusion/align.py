"""Aligning an auxiliary map to the master's grid and channels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def resize_to_grid(feature: Tensor, size: tuple[int, int]) -> Tensor:
    """Resizes ``(B, C, h, w)`` bilinearly (half-pixel centres) to ``(B, C, *size)`` where needed."""
    if tuple(feature.shape[-2:]) == tuple(size):
        return feature
    return F.interpolate(feature, size=size, mode="bilinear", align_corners=False)


class SampleChannels(nn.Module):
    """Channel alignment without parameters, as in the released code.

    A wider map gives evenly spaced channels, ``floor(i * C_in / C_out)``; a narrower one is padded with
    copies of its mean over channels.
    """

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        index = torch.arange(channels_out) * channels_in // channels_out
        self.register_buffer("index", index, persistent=False)
        self.missing = max(0, channels_out - channels_in)

    def forward(self, feature: Tensor) -> Tensor:
        """Maps ``(B, C_in, h, w)`` to ``(B, C_out, h, w)``."""
        if self.missing:
            mean = feature.mean(dim=1, keepdim=True)  # (B, 1, h, w)
            return torch.cat([feature, mean.expand(-1, self.missing, -1, -1)], dim=1)
        return feature.index_select(1, self.index)


def align_channels(how: str, channels_in: int, channels_out: int) -> nn.Module:
    """Returns the channel alignment ``how``: ``sample`` or ``project`` (a learned 1x1 convolution)."""
    if how == "project":
        return nn.Conv2d(channels_in, channels_out, kernel_size=1)
    return SampleChannels(channels_in, channels_out)
