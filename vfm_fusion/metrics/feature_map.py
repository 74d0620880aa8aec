"""One image's feature map: the planes that the scores look at, each computed once."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from vfm_fusion.metrics.inputs import check_map
from vfm_fusion.metrics.sobel import sobel
from vfm_fusion.metrics.token_maps import Tokens

_L2_RESOLUTION = 4 * torch.finfo(torch.float32).eps


class FeatureMap:
    """The features of one image on a grid of H x W pixels.

    Attributes:
        tokens: the channel vectors.
        height: H, in feature pixels.
        width: W, in feature pixels.
    """

    def __init__(self, features: Tensor) -> None:
        """Takes ``(C, H, W)`` features of any floating-point type on any device.

        Raises:
            ShapeError: not three axes, an empty axis, or not a floating-point type.
        """
        check_map(features)
        channels, self.height, self.width = features.shape
        self.tokens = Tokens(features.reshape(channels, -1))  # (C, H, W) -> (C, H*W)
        self._grid, self._repeat = (self.height, self.width), 1
        self._order: Tensor | None = None

    @property
    def repeat(self) -> int:
        """How often each pixel is repeated along a side."""
        return self._repeat

    def repeated(self, times: int) -> FeatureMap:
        """Returns the map upsampled by repeating every pixel ``times`` x ``times``.

        This is nearest-neighbour upsampling by an integer. The larger map is never written out: its channel
        moments, covariance and principal axes are those of this one, and shared with it.
        """
        other = self._variant()
        other._repeat *= times
        other.height, other.width = self.height * times, self.width * times
        return other

    def permuted(self, order: Tensor) -> FeatureMap:
        """Returns the map with its pixels in another order; what order leaves as it is stays shared.

        Repeated pixels stay together: the pixels of the map that was repeated change places.

        Args:
            order: int64 permutation of the pixels, ``(H*W / times^2,)`` for a repeated map.
        """
        other = self._variant()
        other._order = order
        return other

    def permutations(self, draws: int, seed: int) -> Iterator[FeatureMap]:
        """Yields the map in random orders, which depend on the seed and the number of pixels only."""
        generator = torch.Generator().manual_seed(seed)
        for _ in range(draws):
            yield self.permuted(torch.randperm(self.tokens.count, generator=generator).to(self.device))

    def _variant(self) -> FeatureMap:
        other = copy.copy(self)
        for plane in ("norms", "l2", "first_component"):
            other.__dict__.pop(plane, None)
        return other

    @property
    def pixels(self) -> int:
        """H * W."""
        return self.height * self.width

    @property
    def device(self) -> torch.device:
        """Where the map is."""
        return self.tokens.norms.device

    @property
    def reason(self) -> str | None:
        """Why no score of this map is defined (NaN, infinite, overflowing or constant), or None."""
        return self.tokens.reason

    @cached_property
    def norms(self) -> Tensor:
        """Channel L2 norm m = ||F(:, y, x)|| per pixel, ``(H, W)`` float64."""
        return self.arrange(self.tokens.norms)

    @cached_property
    def l2(self) -> Tensor | None:
        """Channel L2 norm per pixel, z-scored over the image (population), ``(H, W)`` float64.

        (m - mean m) / std m. None when m does not vary to float32 resolution (std m <= 4 * 2^-23 * max m).
        Paper, Sec. 3.2: the intensity map of SFC, FC and SP.
        """
        norms = self.tokens.norms
        spread = norms.std(correction=0)
        if float(spread) <= _L2_RESOLUTION * float(norms.max()):
            return None
        return self.arrange((norms - norms.mean()) / spread)

    @cached_property
    def first_component(self) -> Tensor:
        """First principal component of the z-scored channels, scaled to [0, 1], ``(H, W)`` float32.

        Map (i) of the paper's EF preprocessing (Sec. 3.2.2): M = v1^T z, min-max over all pixels. The
        principal axis v1 comes from all pixels; subsampling or a few power iterations change the map visibly.
        Its sign is arbitrary, so M and 1 - M are the same map; their gradients are equal.
        """
        component = self.tokens.first_component
        low, high = torch.aminmax(component)
        return self.arrange(component.sub(low).div_(high - low))

    def channel_gradient(self) -> Tensor:
        """Sobel gradient magnitude of all z-scored channels together, ``(H, W)`` float32.

        sqrt(sum over channels of gx^2 + gy^2), the multi-channel gradient of the released profiling code.
        """
        energy = torch.zeros(self.height, self.width, device=self.device)
        for block in self.tokens.channel_blocks():
            gx, gy = sobel(self.arrange(block))
            energy += gx.square_().sum(dim=0) + gy.square_().sum(dim=0)
        return energy.sqrt_()

    def pixels_at(self, indices: Tensor) -> Tensor:
        """Returns the z-scored channels of some pixels ``(m,)`` in row-major order, ``(C, m)`` float32."""
        columns = self._grid[1] * self._repeat
        row = (indices // columns) // self._repeat
        return self.tokens.at(row * self._grid[1] + (indices % columns) // self._repeat)

    def arrange(self, values: Tensor) -> Tensor:
        """Lays values of tokens ``(..., h*w)`` out on the map, ``(..., H, W)``."""
        if self._order is not None:
            values = values[..., self._order]
        plane = values.view(*values.shape[:-1], *self._grid)
        if self._repeat == 1:
            return plane
        grown = F.interpolate(
            plane.reshape(1, -1, *self._grid), scale_factor=self._repeat, mode="nearest-exact"
        )
        return grown.view(*values.shape[:-1], self.height, self.width)
