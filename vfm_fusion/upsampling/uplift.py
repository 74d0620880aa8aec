"""UPLiFT: doubles a map step by step, each pixel a mean of 17 cells around it (Walmer et al., CVPR 2026)."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vfm_fusion.config.upsampling import TITLES
from vfm_fusion.upsampling.bands import Bands, rows_around, without_outside
from vfm_fusion.upsampling.resampling import bilinear_rows, resize_guidance
from vfm_fusion.upsampling.upsampler import BandedUpsampler, Facts, Released

WIDTHS = (16, 32, 64, 128, 128)
HIDDEN = 64
PATCH = 16
"""Pixels of the image for a cell of the map."""
OFFSETS = tuple(
    (row, column)
    for row in range(-2, 3)
    for column in range(-2, 3)
    if max(abs(row), abs(column)) < 2 or 0 in (row, column) or abs(row) == abs(column)
)
"""The cells that a pixel sees, from its own."""


class _State(NamedTuple):
    features: Tensor  # (B, C, h, w)
    low: Tensor  # (B, 64, h, w) what the first convolutions of the step make of them
    fine: Tensor  # (B, 128, H, W) the encoded image


class UPLiFT(BandedUpsampler):
    """As many doublings as reach the size, all with the same weights, guided by an image encoded once.

    The image is brought to 16 pixels a cell first, which is what the released code does for patches of 14 and
    of 16 pixels.
    """

    facts = Facts(
        TITLES["uplift"],
        "Walmer et al., CVPR 2026",
        native="the next power of two times the map",
        per_encoder=True,
        released=Released(
            "https://github.com/mwalmer-umd/UPLiFT",
            "MIT",
            names=(
                (r"^encoder\.block_(\d)\.blocks\.0\.conv\.", r"image.\1."),
                (r"^decoder\.block_0\.blocks\.0\.conv\.", "low."),
                (r"^decoder\.up_1\.up\.", "doubling."),
                (r"^decoder\.block_1\.blocks\.0\.conv\.", "high."),
                (r"^attender\.conv1\.", "logits."),
            ),
        ),
    )

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.image = nn.ModuleList(
            nn.Sequential(*_smooth(before, after), nn.Conv2d(after, after, kernel_size=1))
            for before, after in zip((3, *WIDTHS[:-1]), WIDTHS, strict=True)
        )
        self.low, self.high = _twice(channels + WIDTHS[-1]), _twice(HIDDEN + WIDTHS[-2])
        self.doubling = nn.ConvTranspose2d(HIDDEN, HIDDEN, kernel_size=2, stride=2)
        self.logits = nn.Conv2d(HIDDEN, len(OFFSETS), kernel_size=1)

    def native_size(self, grid: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
        """See :meth:`BandedUpsampler.native_size`."""
        times = 2
        while grid[0] * times < size[0] or grid[1] * times < size[1]:
            times *= 2
        return grid[0] * times, grid[1] * times

    def prepare(self, features: Tensor, image: Tensor, native: tuple[int, int], bands: Bands) -> _State:
        """See :meth:`BandedUpsampler.prepare`: all steps but the last."""
        height, width = features.shape[-2:]
        maps = resize_guidance(image, (PATCH * height, PATCH * width)).to(features.dtype)
        for block in self.image:
            fine, maps = maps, _encoded(maps, block, bands)
        state = _State(features, self._low(features, maps, bands), fine)
        while 2 * state.features.shape[2] < native[0]:
            size, at = 2 * state.features.shape[2], state
            row_values = len(features) * 2 * state.features.shape[3] * self.pixel_values((height, width))
            doubled = bands(lambda start, stop, at=at: self.rows(at, start, stop), size, row_values)
            state = _State(doubled, self._low(doubled, maps, bands), fine)
        return state

    def _low(self, features: Tensor, coarse: Tensor, bands: Bands) -> Tensor:
        """Returns ``(B, 64, h, w)`` of the map and the encoded image, read at the nearest pixels."""
        height, width = features.shape[-2:]

        def band(start: int, stop: int) -> Tensor:
            guide = nearest_rows(coarse, start - 2, stop + 2, (height, width))
            joint = torch.cat([rows_around(features, start, stop, 2, "zeros"), guide], dim=1)
            return _convolved_twice(self.low, joint, start, height)

        return bands(band, height, len(features) * width * 4 * (self.channels + WIDTHS[-1]))

    def rows(self, state: _State, start: int, stop: int) -> Tensor:
        """See :meth:`BandedUpsampler.rows`."""
        height, width = (2 * side for side in state.features.shape[-2:])
        guide = nearest_rows(state.fine, start - 2, stop + 2, (height, width))
        joint = torch.cat([self._doubled(state.low, start - 2, stop + 2), guide], dim=1)
        high = _convolved_twice(self.high, joint, start, height)
        weights = (self.logits(high) + high[:, : len(OFFSETS)]).float().softmax(1)
        row = torch.arange(start, stop, device=high.device) // 2
        column = torch.arange(width, device=high.device) // 2
        total = weights.new_zeros((len(weights), self.channels, *weights.shape[2:]))
        for (down, right), weight in zip(OFFSETS, weights.unbind(1), strict=True):
            at = (row + down).clamp(0, height // 2 - 1)
            seen = state.features[:, :, at][..., (column + right).clamp(0, width // 2 - 1)]
            total.addcmul_(seen.float(), weight[:, None])
        return total.to(state.features.dtype)

    def _doubled(self, low: Tensor, start: int, stop: int) -> Tensor:
        """Returns rows of ``(B, 64, h, w)`` at twice the size; anything outside the map."""
        first = start // 2
        rows = self.doubling(rows_around(low, first, (stop + 1) // 2, 0, "replicate"))
        rows = rows[:, :, start - 2 * first : stop - 2 * first]
        smooth = bilinear_rows(low, start, stop, 2 * low.shape[2])
        size = (stop - start, 2 * low.shape[3])
        return rows + F.interpolate(smooth, size=size, mode="bilinear", align_corners=True)

    def pixel_values(self, grid: tuple[int, int]) -> int:
        """See :meth:`BandedUpsampler.pixel_values`."""
        return 4 * self.channels + 4 * (HIDDEN + WIDTHS[-2])


def nearest_rows(maps: Tensor, start: int, stop: int, size: tuple[int, int]) -> Tensor:
    """Returns rows of ``(B, C, H, W)`` at another size, by the nearest pixel; the border's outside of it."""
    row = torch.arange(start, stop, device=maps.device).clamp(0, size[0] - 1) * maps.shape[2] // size[0]
    column = torch.arange(size[1], device=maps.device) * maps.shape[3] // size[1]
    return maps[:, :, row][..., column]


def _encoded(maps: Tensor, block: nn.Sequential, bands: Bands) -> Tensor:
    """Runs a block of the image's encoder on ``(B, C, H, W)``."""

    def band(start: int, stop: int) -> Tensor:
        return _with_residual(block(rows_around(maps, start, stop, 1, "zeros")), maps[:, :, start:stop])

    return bands(band, maps.shape[2], len(maps) * maps.shape[3] * 5 * WIDTHS[-1])


def _with_residual(made: Tensor, source: Tensor) -> Tensor:
    """Adds a source to what was made of it; channels that it lacks count as zero, those too many do not."""
    lacking = made.shape[1] - source.shape[1]
    return made + F.pad(source, (0, 0, 0, 0, 0, lacking))


def _convolved_twice(convolutions: nn.Sequential, joint: Tensor, start: int, height: int) -> Tensor:
    """Returns a band that begins at row ``start``, of its input with two more rows on either side."""
    joint = without_outside(joint, start - 2, height)
    maps = without_outside(convolutions[:3](joint), start - 1, height)
    return _with_residual(convolutions[3:](maps), joint[:, :, 2:-2])


def _twice(channels: int) -> nn.Sequential:
    return nn.Sequential(
        *_smooth(channels, HIDDEN), *_smooth(HIDDEN, HIDDEN), nn.Conv2d(HIDDEN, HIDDEN, kernel_size=1)
    )


def _smooth(channels_in: int, channels_out: int) -> list[nn.Module]:
    """A convolution that takes a row on either side from its input, with its norm."""
    convolution = nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=(0, 1), bias=False)
    return [convolution, nn.BatchNorm2d(channels_out), nn.ReLU()]
