"""AnyUp: attention to a window, by keys that any encoder's features give (Wimmer et al., ICLR 2026)."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vfm_fusion.config.upsampling import TITLES
from vfm_fusion.upsampling.bands import Bands, rows_around
from vfm_fusion.upsampling.guidance import (
    SEQUENCE_NAMES,
    WIDTH,
    GuidanceEncoder,
    RotaryPositions,
    residual_blocks,
    run_blocks,
)
from vfm_fusion.upsampling.head_mean import HeadMeanAttention, weighted
from vfm_fusion.upsampling.upsampler import BandedUpsampler, Facts, Released

REACH = 0.1
"""Half the side of a window, as a share of the map."""
TILE = 64
"""Columns of the result whose windows are looked at together."""
_KERNEL = 5
_BLOCK = ((0, "norm1"), (2, "conv1"), (3, "norm2"), (5, "conv2"))
"""Places in a released block, and our names."""


class _State(NamedTuple):
    queries: Tensor  # (B, 128, H', W')
    keys: Tensor  # (B, h, w, 128)
    features: Tensor  # (B, C, h, w)


class AnyUp(BandedUpsampler):
    """A pixel attends to the cells at most a tenth of the image away; values are the features.

    What the keys know of the features are statistics of their responses to 128 learned 5 x 5 kernels, so one
    set of weights serves maps of any number of channels.

    Attributes:
        by_kernel: how the responses are brought to one scale. The paper says by a softmax over the 128
            kernels of every channel, and a mean over channels. The released code reads the responses, which
            lie channel by channel, as if they lay kernel by kernel: its softmax is over other 128 of them,
            and its weights were trained so. False (the default) does as the code, True as the paper.
    """

    facts = Facts(
        TITLES["anyup"],
        "Wimmer et al., ICLR 2026",
        native="any",
        smallest=2,
        released=Released(
            "https://github.com/wimmerth/anyup",
            "CC-BY-4.0",
            names=(
                (r"^(image|query|key)_encoder\.", r"\1."),
                (r"^aggregation\.", "semantic."),
                *SEQUENCE_NAMES,
                (r"^key_features_encoder\.stem\.basis$", "kernels"),
                (r"^key_features_encoder\.blocks\.", "unified."),
                *((rf"\.block\.{place}\.", f".{name}.") for place, name in _BLOCK),
                (r"^rope\.", "positions."),
                (r"^cross_decode\.conv2d\.", "smooth."),
                (r"^cross_decode\.cross_attn\.", "attention."),
            ),
        ),
    )

    def __init__(self, channels: int, by_kernel: bool = False) -> None:
        super().__init__(channels)
        self.by_kernel = by_kernel
        self.image = GuidanceEncoder(3, kernel=1)
        self.query, self.key = (GuidanceEncoder(WIDTH, kernel=1) for _ in range(2))
        self.kernels = nn.Parameter(torch.randn(WIDTH, 1, _KERNEL, _KERNEL))
        self.unified = residual_blocks()
        self.semantic = GuidanceEncoder(2 * WIDTH, kernel=3)
        self.positions = RotaryPositions()
        self.smooth = nn.Conv2d(WIDTH, WIDTH, kernel_size=3, padding=(0, 1), bias=False)
        self.attention = HeadMeanAttention()

    def prepare(self, features: Tensor, image: Tensor, native: tuple[int, int], bands: Bands) -> _State:
        """See :meth:`BandedUpsampler.prepare`."""
        grid = tuple(features.shape[-2:])
        encoded = self.positions(self.image(image.to(features.dtype), bands), bands)
        keys = F.adaptive_avg_pool2d(self.key(encoded, bands), grid)
        keys = self.semantic(torch.cat([keys, self._unify(features, bands)], dim=1), bands)
        queries = F.adaptive_avg_pool2d(self.query(encoded, bands), native)
        return _State(queries, self.attention.keys(keys).unflatten(1, grid), features)

    def _unify(self, features: Tensor, bands: Bands) -> Tensor:
        """Makes ``(B, 128, h, w)`` of features of any channels."""
        batch, channels, height, width = features.shape
        unit = F.normalize(features.float(), dim=1)
        ones = F.conv2d(unit.new_ones(1, 1, height, width), unit.new_ones(1, 1, _KERNEL, _KERNEL), padding=2)

        def band(start: int, stop: int) -> Tensor:
            rows = rows_around(unit, start, stop, 2, "zeros").flatten(0, 1)[:, None]
            found = F.conv2d(rows, self.kernels.float(), padding=(0, 2)) / ones[:, :, start:stop]
            found = found.unflatten(0, (batch, channels))  # (B, C, 128, n, w)
            if self.by_kernel:
                return found.softmax(2).mean(1).to(features.dtype)
            found = found.reshape(batch, WIDTH, channels, stop - start, width)
            return found.softmax(1).mean(2).to(features.dtype)

        unified = bands(band, height, 3 * batch * channels * WIDTH * width)
        return run_blocks(self.unified, unified, bands)

    def rows(self, state: _State, start: int, stop: int) -> Tensor:
        """See :meth:`BandedUpsampler.rows`."""
        height, width = state.queries.shape[-2:]
        (top, bottom), (left, right) = (
            windows(size, cells)
            for size, cells in zip((height, width), state.features.shape[-2:], strict=True)
        )
        maps = self.smooth(rows_around(state.queries, start, stop, 1, "zeros"))
        tiles = []
        for first in range(0, width, TILE):
            last = min(first + TILE, width)
            rows = slice(int(top[start:stop].min()), int(bottom[start:stop].max()))
            columns = slice(int(left[first:last].min()), int(right[first:last].max()))
            hidden = _hidden(
                (top[start:stop], bottom[start:stop], rows), (left[first:last], right[first:last], columns)
            )
            queries = self.attention.queries(maps[..., first:last])
            keys = state.keys[:, rows, columns].flatten(1, 2)
            weights = self.attention.weights(queries, keys, hidden.to(maps.device))
            tiles.append(weighted(state.features[:, :, rows, columns].flatten(2), weights, stop - start))
        return torch.cat(tiles, dim=3)

    def pixel_values(self, grid: tuple[int, int]) -> int:
        """See :meth:`BandedUpsampler.pixel_values`."""
        return 2 * self.channels + 8 * WIDTH


def windows(size: int, cells: int) -> tuple[Tensor, Tensor]:
    """Returns which cells the pixels of a row or column of the result see.

    Args:
        size: pixels.
        cells: cells of the map.

    Returns:
        First cell, and cell behind the last, of every pixel, both ``(size,)``, on the CPU.
    """
    position = (torch.arange(size, dtype=torch.float32, device="cpu") + 0.5) / size
    first = ((position - REACH).clamp(0, 1) * cells).floor().long()
    return first, ((position + REACH).clamp(0, 1) * cells).ceil().long()


def _hidden(rows: tuple[Tensor, Tensor, slice], columns: tuple[Tensor, Tensor, slice]) -> Tensor:
    """Which of the cells in the windows' hull each pixel does not see, ``(pixels, cells)``."""
    seen = []
    for first, behind, hull in (rows, columns):
        cell = torch.arange(hull.start, hull.stop, device="cpu")
        seen.append((cell >= first[:, None]) & (cell < behind[:, None]))
    by_row, by_column = seen
    both = by_row[:, None, :, None] & by_column[None, :, None, :]  # (n, W, rows, columns)
    return ~both.flatten(2).flatten(0, 1)
