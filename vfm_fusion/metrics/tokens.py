"""One image's channel vectors and the statistics that all scores derive from, each computed once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from vfm_fusion.metrics import reasons
from vfm_fusion.metrics.principal import SymmetricProduct, leading_eigenvectors, principal_scores

CHANNEL_EPS = 1e-6
"""Added to a channel's standard deviation before dividing by it (released code)."""

CONSTANT_STD = 1e-12
"""A channel with a smaller standard deviation does not vary (released code)."""

_BLOCK_ELEMENTS = 1 << 18
"""Elements of a block of channels (1 MiB of float32), which stays in a core's cache while it is scanned."""


class _Moments(NamedTuple):
    norms: Tensor
    first: Tensor
    offset: Tensor
    spread: Tensor


class Tokens:
    """The channel vectors ``(C, n)`` of one image, computed in float32 on their own device.

    Attributes:
        channels: C.
        count: n.
    """

    def __init__(self, features: Tensor) -> None:
        """Takes ``(C, n)`` of any floating-point type on any device; z-scored copies are never kept."""
        self.channels, self.count = features.shape
        self._features = features.detach().contiguous()

    @cached_property
    def reason(self) -> str | None:
        """Why nothing can be said of these tokens (NaN, infinite, overflowing or constant), or None."""
        if not bool(self.norms.isfinite().all()):
            features = self._features.float()
            if bool(features.isnan().any()):
                return reasons.NAN_FEATURES
            return reasons.INF_FEATURES if bool(features.isinf().any()) else reasons.OVERFLOW_FEATURES
        return reasons.CONSTANT_FEATURES if bool((self._moments.spread < CONSTANT_STD).all()) else None

    @property
    def norms(self) -> Tensor:
        """Channel L2 norm of each token, ``(n,)`` float64."""
        return self._moments.norms

    def channel_blocks(self) -> Iterator[Tensor]:
        """Yields the z-scored tokens a few channels at a time, ``(c, n)`` float32.

        (x - mean_c) / (std_c + 1e-6), population standard deviation.
        """
        for rows in self._channel_slices():
            yield self._zscore(self._features[rows], rows)

    def at(self, indices: Tensor) -> Tensor:
        """Returns the z-scored tokens at ``indices`` ``(m,)``, ``(C, m)`` float32."""
        return self._zscore(self._features[:, indices], slice(None))

    @cached_property
    def covariance(self) -> Tensor:
        """Covariance of the z-scored channels over all tokens, ``(C, C)`` float32 (divided by n)."""
        product = SymmetricProduct(self.channels, self._features.device)
        for block in self._token_blocks():
            product.add(block)
        return product.total().div_(self.count)

    @cached_property
    def first_component(self) -> Tensor:
        """Score of each token on the first principal axis, ``(n,)`` float32; see :meth:`components`."""
        return self.components(1)[0]

    def components(self, count: int) -> Tensor:
        """Scores of the tokens on the leading principal axes of the z-scored channels.

        The axes come from all tokens; the sign of each is arbitrary.

        Args:
            count: at most min(C, n).

        Returns:
            ``(count, n)`` float32.
        """
        if self.count < self.channels:
            return principal_scores(self._zscore(self._features, slice(None)), count)
        axes = leading_eigenvectors(self.covariance, count)[1].T.float()  # (count, C)
        return torch.cat([axes @ block for block in self._token_blocks()], dim=1)

    @cached_property
    def _moments(self) -> _Moments:
        """Norms ``(n,)`` and each channel's mean and standard deviation ``(C, 1)`` in one pass.

        The mean is kept as the channel's first value and the offset from it, so that a constant channel becomes
        exactly 0 and a large mean costs no digits.
        """
        device = self._features.device
        squares = torch.zeros(self.count, dtype=torch.float64, device=device)
        first, offset, spread = torch.empty(3, self.channels, 1, device=device)
        for rows in self._channel_slices():
            block = self._features[rows].float()  # (c, n)
            squares += block.square().sum(dim=0)
            first[rows] = block[:, :1]
            shifted = block - first[rows]
            offset[rows] = shifted.mean(dim=1, keepdim=True)
            shifted -= offset[rows]
            spread[rows] = torch.linalg.vector_norm(shifted, dim=1, keepdim=True) / self.count**0.5
        return _Moments(squares.sqrt_(), first, offset, spread)

    def _zscore(self, block: Tensor, rows: slice) -> Tensor:
        moments = self._moments
        shifted = (block.float() - moments.first[rows]).sub_(moments.offset[rows])
        return shifted.div_(moments.spread[rows] + CHANNEL_EPS)

    def _channel_slices(self) -> Iterator[slice]:
        step = max(1, _BLOCK_ELEMENTS // self.count)
        return (slice(start, start + step) for start in range(0, self.channels, step))

    def _token_blocks(self) -> Iterator[Tensor]:
        """Yields the z-scored tokens a few at a time, ``(C, m)`` float32."""
        for block in self._features.split(max(1, 4 * _BLOCK_ELEMENTS // self.channels), dim=1):
            yield self._zscore(block, slice(None))
