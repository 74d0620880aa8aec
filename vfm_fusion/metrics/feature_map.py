"""One image's feature map and what several scores derive from it, each computed once."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import torch
from scipy.linalg.blas import ssyrk
from torch import Tensor

from vfm_fusion.metrics import reasons

CHANNEL_EPS = 1e-6
"""Added to a channel's standard deviation before dividing by it (released code)."""

CONSTANT_STD = 1e-12
"""A channel with a smaller standard deviation does not vary (released code)."""

_L2_RESOLUTION = 4 * torch.finfo(torch.float32).eps

_BLOCK_ELEMENTS = 1 << 18
"""Elements of a block of channels (1 MiB of float32), which stays in a core's cache while it is scanned."""


class _Scan(NamedTuple):
    norms: Tensor
    zscored: Tensor
    constant: bool


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
        self._features = features.detach().cpu().reshape(self.channels, -1)  # (C, H, W) -> (C, H*W)

    @property
    def pixels(self) -> int:
        """H * W."""
        return self.height * self.width

    @cached_property
    def reason(self) -> str | None:
        """Why no score of this map is defined (NaN, infinite, overflowing or constant), or None."""
        if not bool(self._scan.norms.isfinite().all()):
            features = self._features.float()
            if bool(features.isnan().any()):
                return reasons.NAN_FEATURES
            return reasons.INF_FEATURES if bool(features.isinf().any()) else reasons.OVERFLOW_FEATURES
        return reasons.CONSTANT_FEATURES if self._scan.constant else None

    @cached_property
    def l2(self) -> Tensor | None:
        """Channel L2 norm per pixel, z-scored over the image (population), ``(H, W)`` float64.

        m = ||F(:, y, x)||; (m - mean m) / std m. None when m does not vary to float32 resolution
        (std m <= 4 * 2^-23 * max m). Paper, Sec. 3.2: the intensity map of SFC, FC and SP.
        """
        norms = self._scan.norms
        spread = norms.std(correction=0)
        if float(spread) <= _L2_RESOLUTION * float(norms.max()):
            return None
        return ((norms - norms.mean()) / spread).view(self.height, self.width)

    @property
    def zscored(self) -> Tensor:
        """Features with every channel z-scored over all pixels, ``(C, H*W)`` float32.

        (x - mean_c) / (std_c + 1e-6), population standard deviation. A channel is shifted by its first value
        before its mean is taken, so that a constant channel becomes exactly 0.
        """
        return self._scan.zscored

    @cached_property
    def covariance(self) -> Tensor:
        """Covariance of the z-scored channels over all pixels, ``(C, C)`` float32 (divided by H*W)."""
        return self_product(self.zscored).div_(self.pixels)

    @cached_property
    def _scan(self) -> _Scan:
        """Norms ``(H*W,)`` float64 and z-scored channels in one pass over the features."""
        squares = torch.zeros(self.pixels, dtype=torch.float64)
        zscored = torch.empty(self.channels, self.pixels)
        constant = True
        step = max(1, _BLOCK_ELEMENTS // self.pixels)
        for source, target in zip(self._features.split(step), zscored.split(step), strict=True):
            target.copy_(source)  # (step, H*W)
            squares += target.square().sum(dim=0)
            target -= target[:, :1].clone()
            target -= target.mean(dim=1, keepdim=True)
            spread = target.square().mean(dim=1, keepdim=True).sqrt_()  # torch.std is five times slower
            target /= spread + CHANNEL_EPS
            constant = constant and bool((spread < CONSTANT_STD).all())
        return _Scan(squares.sqrt_(), zscored, constant)


def self_product(matrix: Tensor) -> Tensor:
    """Returns ``matrix @ matrix.T`` by a symmetric rank-k update, which costs half a general product.

    Args:
        matrix: ``(N, n)`` float32, contiguous.

    Returns:
        ``(N, N)`` float32, exactly symmetric.
    """
    upper = torch.from_numpy(ssyrk(1.0, matrix.numpy().T, trans=1))
    return upper.triu() + upper.triu(diagonal=1).T
