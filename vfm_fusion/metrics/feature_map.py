"""One image's feature map and what several scores derive from it, each computed once."""

from __future__ import annotations

import math
from functools import cached_property

import torch
from torch import Tensor

from vfm_fusion.metrics import reasons

CHANNEL_EPS = 1e-6
"""Added to a channel's standard deviation before dividing by it (released code)."""

_L2_RESOLUTION = 4 * torch.finfo(torch.float32).eps


class FeatureMap:
    """The features ``(C, H, W)`` of one image, computed in float32.

    Attributes:
        channels: C.
        height: H, in feature pixels.
        width: W, in feature pixels.
    """

    def __init__(self, features: Tensor) -> None:
        """Takes ``(C, H, W)`` features of any floating-point type on any device."""
        self.channels, self.height, self.width = features.shape
        self._raw = features.detach().to("cpu", torch.float32).reshape(self.channels, -1)  # (C, H*W)

    @property
    def pixels(self) -> int:
        """H * W."""
        return self.height * self.width

    @cached_property
    def reason(self) -> str | None:
        """Why no score of this map is defined (NaN, infinite, overflowing or constant), or None."""
        if not math.isfinite(float(self._norms.sum(dtype=torch.float64))):
            if bool(self._raw.isnan().any()):
                return reasons.NAN_FEATURES
            return reasons.INF_FEATURES if bool(self._raw.isinf().any()) else reasons.OVERFLOW_FEATURES
        if not bool((self._raw != self._raw[:, :1]).any()):
            return reasons.CONSTANT_FEATURES
        return None

    @cached_property
    def _norms(self) -> Tensor:
        return torch.linalg.vector_norm(self._raw, dim=0)  # (C, H*W) -> (H*W,)

    @cached_property
    def l2(self) -> Tensor | None:
        """Channel L2 norm per pixel, z-scored over the image (population), ``(H, W)`` float64.

        m = ||F(:, y, x)||; (m - mean m) / std m. None when m does not vary to float32 resolution
        (std m <= 4 * 2^-23 * max m). Paper, Sec. 3.2: the intensity map of SFC, FC and SP.
        """
        norm = self._norms.double()
        spread = norm.std(correction=0)
        if float(spread) <= _L2_RESOLUTION * float(norm.max()):
            return None
        return ((norm - norm.mean()) / spread).view(self.height, self.width)

    @cached_property
    def zscored(self) -> Tensor:
        """Features with every channel z-scored over all pixels, ``(C, H*W)`` float32.

        (x - mean_c) / (std_c + 1e-6), population standard deviation. A channel is shifted by its first value
        before its mean is taken, so that a constant channel becomes exactly 0.
        """
        shifted = self._raw - self._raw[:, :1]
        variance, mean = torch.var_mean(shifted, dim=1, correction=0, keepdim=True)
        return shifted.sub_(mean).div_(variance.sqrt_().add_(CHANNEL_EPS))

    @cached_property
    def covariance(self) -> Tensor:
        """Covariance of the z-scored channels over all pixels, ``(C, C)`` float32 (divided by H*W)."""
        return (self.zscored @ self.zscored.T).div_(self.pixels)
