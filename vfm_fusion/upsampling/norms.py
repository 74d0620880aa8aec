"""Norms of maps: over the channels of a pixel, and over groups of channels of a whole map, in bands."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vfm_fusion.upsampling.bands import Bands


class ChannelNorm(nn.LayerNorm):
    """A layer norm over the channels of every pixel of ``(B, C, H, W)``."""

    def forward(self, maps: Tensor) -> Tensor:
        """Normalises ``(B, C, H, W)``."""
        return super().forward(maps.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class BandedGroupNorm(nn.GroupNorm):
    """A group norm whose statistics, those of the whole map in float32, are gathered in bands."""

    def of(self, maps: Tensor, bands: Bands) -> Callable[[Tensor], Tensor]:
        """Returns the function that normalises bands of ``maps``, ``(B, C, H, W)``."""
        count, mean, spread = 0, 0.0, 0.0  # spread: the sum of squared deviations
        rows = maps.shape[2] if bands.whole else bands.count(2 * len(maps) * maps.shape[1] * maps.shape[3])
        for start in range(0, maps.shape[2], rows):
            band = maps[:, :, start : start + rows].float().reshape(len(maps), self.num_groups, -1)
            variance, center = torch.var_mean(band, dim=-1, correction=0)
            new = band.shape[-1]
            apart, total = center.double() - mean, count + new
            mean = mean + apart * (new / total)
            spread = spread + variance.double() * new + apart.square() * (count * new / total)
            count = total
        scale = (spread / count + self.eps).rsqrt()
        scale, mean = (each.repeat_interleave(maps.shape[1] // self.num_groups, 1) for each in (scale, mean))
        if self.affine:
            scale = scale * self.weight
        shift = -mean * scale + (self.bias if self.affine else 0)
        scale, shift = scale.float()[:, :, None, None], shift.float()[:, :, None, None]
        return lambda band: torch.addcmul(shift, band.float(), scale).to(band.dtype)


def rms_norm(tokens: Tensor, norm: nn.RMSNorm) -> Tensor:
    """Applies an RMS norm in float32, with float32's epsilon where it names none."""
    eps = torch.finfo(torch.float32).eps if norm.eps is None else norm.eps
    return F.rms_norm(tokens.float(), norm.normalized_shape, norm.weight.float(), eps).to(tokens.dtype)
