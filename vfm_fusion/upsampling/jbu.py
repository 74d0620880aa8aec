"""Joint bilateral upsampling without parameters (Kopf et al., SIGGRAPH 2007)."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from vfm_fusion.config.upsampling import TITLES
from vfm_fusion.upsampling.bands import Bands
from vfm_fusion.upsampling.resampling import resize_guidance
from vfm_fusion.upsampling.upsampler import BandedUpsampler, Facts

_DEVIATION = (0.229, 0.224, 0.225)
"""ImageNet's: brings differences of normalised colours back to those of colours in [0, 1]."""
RADIUS = 2


class _State(NamedTuple):
    features: Tensor
    fine: Tensor  # (B, 3, H, W) colours of the result's pixels
    coarse: Tensor  # (B, 3, h, w) mean colours of the map's cells


class JointBilateral(BandedUpsampler):
    """A weighted mean of the 5 x 5 cells around a pixel: near ones, and those of its own colour, count more.

    ``out(p) = sum_q w_q F(q) / sum_q w_q`` with ``log w_q = - |p - q|^2 / 2 s^2 - |I(p) - I(q)|^2 / 2 r^2``,
    distances in cells of the map, colours in [0, 1], and I(q) the mean colour of the cell. Cells beyond
    the border do not count.

    Attributes:
        spatial: s, in cells.
        range: r.
    """

    facts = Facts(TITLES["jbu_classic"], "Kopf et al., SIGGRAPH 2007", native="any", learned=False)

    def __init__(self, channels: int, spatial: float = 0.5, color_range: float = 0.1) -> None:
        super().__init__(channels)
        self.spatial, self.range = spatial, color_range

    def prepare(self, features: Tensor, image: Tensor, native: tuple[int, int], bands: Bands) -> _State:
        """See :meth:`BandedUpsampler.prepare`."""
        colors = image * image.new_tensor(_DEVIATION)[:, None, None]
        coarse = F.adaptive_avg_pool2d(colors, tuple(features.shape[-2:]))
        return _State(features, resize_guidance(colors, native), coarse)

    def rows(self, state: _State, start: int, stop: int) -> Tensor:
        """See :meth:`BandedUpsampler.rows`."""
        height, width = state.fine.shape[-2:]
        rows = _neighbours(start, stop, height, state.features.shape[2], state.fine.device)
        columns = _neighbours(0, width, width, state.features.shape[3], state.fine.device)
        fine, logits = state.fine[:, :, start:stop], []
        for cell, apart, inside in zip(*rows, strict=True):
            for cell_x, apart_x, inside_x in zip(*columns, strict=True):
                colors = state.coarse[:, :, cell][..., cell_x]
                likeness = (fine - colors).square().sum(1) / (2 * self.range**2)
                distance = (apart.square()[:, None] + apart_x.square()) / (2 * self.spatial**2)
                outside = ~(inside[:, None] & inside_x)
                logits.append((-likeness - distance).masked_fill(outside, -torch.inf))
        weights = torch.stack(logits, dim=1).softmax(1)  # (B, taps, n, W), float32
        total = fine.new_zeros((len(fine), self.channels, *fine.shape[2:]))
        for tap, weight in enumerate(weights.unbind(1)):
            row, column = divmod(tap, 2 * RADIUS + 1)
            taps = state.features[:, :, rows[0][row]][..., columns[0][column]]
            total.addcmul_(taps.float(), weight[:, None])
        return total.to(state.features.dtype)

    def pixel_values(self, grid: tuple[int, int]) -> int:
        """See :meth:`BandedUpsampler.pixel_values`."""
        return 3 * self.channels + 2 * (2 * RADIUS + 1) ** 2


def _neighbours(
    start: int, stop: int, size: int, cells: int, device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """The cells around some pixels of a row or column.

    Returns:
        Of every tap and pixel ``(taps, n)``: the cell, clamped to the map; its distance in cells, float32;
        whether it is inside the map.
    """
    position = (torch.arange(start, stop, device=device) + 0.5) * (cells / size) - 0.5
    tap = torch.arange(-RADIUS, RADIUS + 1, device=device)[:, None]
    cell = ((position + 0.5).floor() + tap).long()
    return cell.clamp(0, cells - 1), cell - position, (cell >= 0) & (cell < cells)
