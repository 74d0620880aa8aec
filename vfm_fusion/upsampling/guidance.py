"""What AnyUp, JAFAR and NAF make of an image: convolutions behind group norms, and rotary positions."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vfm_fusion.upsampling.bands import Bands, rows_around
from vfm_fusion.upsampling.norms import BandedGroupNorm

WIDTH = 128
_GROUPS = 8
SEQUENCE_NAMES = tuple(
    (rf"^(\w+)\.{place}\.", rf"\1.{ours}.") for place, ours in enumerate(("stem", "blocks.0", "blocks.1"))
)
"""From the names of a released encoder, a sequence, to those of ours: patterns and replacements."""


class GuidanceBlock(nn.Module):
    """Group norm, SiLU and a convolution, twice; plus the input where ``residual``."""

    def __init__(self, kernel: int, bias: bool, residual: bool) -> None:
        super().__init__()
        self.norm1, self.norm2 = (BandedGroupNorm(_GROUPS, WIDTH) for _ in range(2))
        self.conv1, self.conv2 = (nn.Conv2d(WIDTH, WIDTH, kernel, bias=bias) for _ in range(2))
        self.residual = residual

    def first(self, maps: Tensor, bands: Bands) -> Tensor:
        """Returns the maps ``(B, C, H, W)`` behind the first convolution."""
        made = _normed(maps, self.norm1, self.conv1, bands)
        return bands(made, maps.shape[2], _row_values(maps))

    def second(self, maps: Tensor, skip: Tensor | None, bands: Bands) -> Tensor:
        """Returns the maps behind the second, added to ``skip``; written over ``maps`` where possible."""
        made = _normed(maps, self.norm2, self.conv2, bands)
        over = maps if self.conv2.kernel_size[0] == 1 and not bands.whole else None

        def band(start: int, stop: int) -> Tensor:
            new = made(start, stop)
            return new if skip is None else new + skip[:, :, start:stop]

        return bands(band, maps.shape[2], _row_values(maps), over)


class GuidanceEncoder(nn.Module):
    """A convolution to 128 channels and two blocks; borders are mirrored.

    No more than two maps of 128 channels at the size of the input are alive at once, beside the input.
    """

    def __init__(
        self,
        channels: int,
        kernel: int,
        block_kernel: int = 1,
        bias: bool = False,
        residual: bool = True,
    ) -> None:
        super().__init__()
        self.stem = nn.Conv2d(channels, WIDTH, kernel, bias=bias)
        self.blocks = residual_blocks(block_kernel, bias, residual)

    def forward(self, maps: Tensor, bands: Bands) -> Tensor:
        """Encodes ``(B, channels, H, W)`` to ``(B, 128, H, W)``."""
        row_values = len(maps) * (maps.shape[1] + 2 * WIDTH) * maps.shape[3]
        made = bands(lambda start, stop: convolved(maps, self.stem, start, stop), maps.shape[2], row_values)
        return run_blocks(self.blocks, made, bands)


def residual_blocks(kernel: int = 1, bias: bool = False, residual: bool = True) -> nn.ModuleList:
    """Returns the two blocks of an encoder."""
    return nn.ModuleList(GuidanceBlock(kernel, bias, residual) for _ in range(2))


def run_blocks(blocks: nn.ModuleList, maps: Tensor, bands: Bands) -> Tensor:
    """Runs blocks on ``(B, 128, H, W)``."""
    for block in blocks:
        skip = maps if block.residual else None
        maps = block.first(maps, bands)
        maps = block.second(maps, skip, bands)
    return maps


def convolved(
    maps: Tensor,
    convolution: nn.Conv2d,
    start: int,
    stop: int,
    change: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Returns rows of a convolution with mirrored borders, as wide as ``maps``.

    Args:
        maps: ``(B, C, H, W)``.
        convolution: one without padding of its own, of odd kernel.
        start: first row.
        stop: row behind the last.
        change: what to do to every pixel before.
    """
    halo = convolution.kernel_size[0] // 2
    band = rows_around(maps, start, stop, halo, "reflect")
    band = band if change is None else change(band)
    return convolution(F.pad(band, (halo, halo, 0, 0), mode="reflect") if halo else band)


class RotaryPositions(nn.Module):
    """Turns channel pairs of a map by angles that grow with the row and the column, both in [0, 1].

    The two channels of a pair are 64 apart.

    Attributes:
        freqs: angles per row and per column, ``(2, 128)``, learned.
    """

    def __init__(self) -> None:
        super().__init__()
        steps = (100 ** torch.linspace(0, -1, WIDTH // 4)).repeat(2) * 2 * torch.pi
        freqs = torch.zeros(2, WIDTH)
        freqs[0, : WIDTH // 2] = steps
        freqs[1, WIDTH // 2 :] = steps
        self.freqs = nn.Parameter(freqs)

    def forward(self, maps: Tensor, bands: Bands) -> Tensor:
        """Turns ``(B, 128, H, W)``, and writes over it where no gradient is wanted."""
        height, width = maps.shape[-2:]
        by_row, by_column = self.freqs.float()
        row = torch.linspace(0, 1, height, device=maps.device)
        column = torch.linspace(0, 1, width, device=maps.device)

        def band(start: int, stop: int) -> Tensor:
            angle = by_row[:, None, None] * row[start:stop, None] + by_column[:, None, None] * column
            return rotated(maps[:, :, start:stop], angle)

        return bands(band, height, 3 * _row_values(maps), None if bands.whole else maps)


def rotated(maps: Tensor, angle: Tensor) -> Tensor:
    """Turns pairs of channels, half of all channels apart, in float32.

    Args:
        maps: ``(..., D, n, W)``.
        angle: ``(D, n, W)`` in radians.
    """
    wide = maps.float()
    low, high = wide.chunk(2, dim=-3)
    return (wide * angle.cos() + torch.cat([-high, low], dim=-3) * angle.sin()).to(maps.dtype)


def _normed(
    maps: Tensor, norm: BandedGroupNorm, convolution: nn.Conv2d, bands: Bands
) -> Callable[[int, int], Tensor]:
    normed = norm.of(maps, bands)
    return lambda start, stop: convolved(maps, convolution, start, stop, lambda band: F.silu(normed(band)))


def _row_values(maps: Tensor) -> int:
    return 4 * len(maps) * maps.shape[1] * maps.shape[3]
