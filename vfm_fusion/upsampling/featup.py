"""FeatUp's stack of learned joint bilateral upsamplings (Fu et al., ICLR 2024)."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vfm_fusion.config.upsampling import TITLES
from vfm_fusion.upsampling.bands import Bands, rows_around
from vfm_fusion.upsampling.norms import ChannelNorm
from vfm_fusion.upsampling.resampling import bicubic_rows
from vfm_fusion.upsampling.upsampler import BandedUpsampler, Facts, Released

RADIUS, KEYS, STAGES = 3, 32, 4
DIAMETER = 2 * RADIUS + 1
TAPS = DIAMETER**2


class StageState(NamedTuple):
    """What a stage needs for all its rows.

    Attributes:
        guide: the image at the doubled size, ``(B, 3, 2 h, 2 w)``.
        wide: the map with its columns doubled, ``(B, C, h, 2 w)``.
    """

    guide: Tensor
    wide: Tensor


class BilateralStage(nn.Module):
    """Doubles a map: every pixel is a weighted sum of the 7 x 7 pixels of the bicubic map around it.

    The weights, the same for all channels, are those of colours alike after a learned projection, times those
    of near pixels, plus a tenth of a learned correction. Rows beyond the border mirror those within.
    """

    def __init__(self) -> None:
        super().__init__()
        self.temperature = nn.Parameter(torch.tensor(0.0))
        self.sigma = nn.Parameter(torch.tensor(1.0))
        self.project = _pointwise(3, KEYS, KEYS)
        self.correct = _pointwise(TAPS + 3, TAPS, TAPS)

    def prepare(self, features: Tensor, image: Tensor) -> StageState:
        """Returns what all rows need of ``(B, C, h, w)`` and the image ``(B, 3, H, W)``."""
        height, width = features.shape[-2:]
        guide = F.adaptive_avg_pool2d(image, (2 * height, 2 * width)).to(self.sigma.dtype)
        wide = F.interpolate(features, size=(height, 2 * width), mode="bicubic", align_corners=False)
        return StageState(guide, wide)

    def kernel(self, state: StageState, start: int, stop: int) -> Tensor:
        """Returns the weights of a band, ``(B, taps, n, W)``, taps row by row."""
        around = rows_around(state.guide, start, stop, RADIUS, "reflect")
        keys = _padded_columns(self.project(around))  # (B, keys, n + 6, W + 6)
        size = (stop - start, state.guide.shape[3])
        own = _tap(keys, TAPS // 2, size)
        likeness = torch.stack([(_tap(keys, tap, size) * own).sum(1) for tap in range(TAPS)], dim=1)
        alike = (self.temperature.exp().clamp(1e-4, 1e4) * likeness).float().softmax(1)
        apart = torch.linspace(-1, 1, DIAMETER, device=keys.device).square()
        near = (-(apart[:, None] + apart).flatten() / (2 * self.sigma.float() ** 2)).exp()
        kernel = alike * near[:, None, None]
        kernel = (kernel / kernel.sum(1, keepdim=True).clamp(min=1e-7)).to(keys.dtype)
        return kernel + 0.1 * self.correct(torch.cat([kernel, state.guide[:, :, start:stop]], dim=1))

    def rows(self, state: StageState, start: int, stop: int) -> Tensor:
        """Returns rows of the doubled map, ``(B, C, n, W)``."""
        kernel = self.kernel(state, start, stop).float()
        fine = bicubic_rows(state.wide, start - RADIUS, stop + RADIUS, state.guide.shape[2])
        fine, size = _padded_columns(fine).float(), tuple(kernel.shape[-2:])
        total = fine.new_zeros((*fine.shape[:2], *size))
        for tap, weight in enumerate(kernel.unbind(1)):
            total.addcmul_(_tap(fine, tap, size), weight[:, None])
        return total.to(state.wide.dtype)


class FeatUp(BandedUpsampler):
    """Four stages, sixteen times the map, and a tenth of a learned 1x1 convolution on top.

    Attributes:
        norm: the normalisation over channels that FeatUp's weights were trained behind; None without
            ``input_norm``, as iSegProbe runs them.
    """

    facts = Facts(
        TITLES["jbu"],
        "Fu et al., ICLR 2024",
        native="16 times the map",
        per_encoder=True,
        smallest=2,
        released=Released(
            "https://github.com/mhamilton723/FeatUp",
            "MIT",
            names=(
                (r"^upsampler\.up(\d)\.range_temp$", r"stages.\1.temperature"),
                (r"^upsampler\.up(\d)\.sigma_spatial$", r"stages.\1.sigma"),
                (r"^upsampler\.up(\d)\.range_proj\.", r"stages.\1.project."),
                (r"^upsampler\.up(\d)\.fixup_proj\.", r"stages.\1.correct."),
                (r"^upsampler\.fixup_proj\.1\.", "mix.1."),
                (r"^model\.1\.norm\.", "norm."),
                *((rf"^stages\.{stage + 1}\.", f"stages.{stage}.") for stage in range(STAGES)),
            ),
            skipped=("model.0.*", "downsampler.*", "scale_net.*"),
        ),
    )

    def __init__(self, channels: int, input_norm: bool = False) -> None:
        super().__init__(channels)
        self.norm = ChannelNorm(channels) if input_norm else None
        self.stages = nn.ModuleList(BilateralStage() for _ in range(STAGES))
        self.mix = nn.Sequential(nn.Dropout2d(0.2), nn.Conv2d(channels, channels, kernel_size=1))

    def skipped(self) -> tuple[str, ...]:
        """See :meth:`Upsampler.skipped`: without ``input_norm``, its weights are left out too."""
        return super().skipped() + (() if self.norm else ("model.1.*",))

    def native_size(self, grid: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
        """See :meth:`BandedUpsampler.native_size`."""
        return 2**STAGES * grid[0], 2**STAGES * grid[1]

    def prepare(self, features: Tensor, image: Tensor, native: tuple[int, int], bands: Bands) -> StageState:
        """See :meth:`BandedUpsampler.prepare`."""
        maps = features if self.norm is None else self.norm(features)
        *early, last = self.stages
        for stage in early:
            maps = _doubled(stage, stage.prepare(maps, image), bands)
        return last.prepare(maps, image)

    def rows(self, state: StageState, start: int, stop: int) -> Tensor:
        """See :meth:`BandedUpsampler.rows`."""
        rows = self.stages[-1].rows(state, start, stop)
        return rows + 0.1 * self.mix(rows)

    def pixel_values(self, grid: tuple[int, int]) -> int:
        """See :meth:`BandedUpsampler.pixel_values`."""
        return _pixel_values(self.channels)


def _doubled(stage: BilateralStage, state: StageState, bands: Bands) -> Tensor:
    row_values = len(state.wide) * state.guide.shape[3] * _pixel_values(state.wide.shape[1])
    return bands(lambda start, stop: stage.rows(state, start, stop), state.guide.shape[2], row_values)


def _pixel_values(channels: int) -> int:
    return 5 * channels + 6 * TAPS


def _pointwise(channels_in: int, hidden: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels_in, hidden, 1), nn.GELU(), nn.Dropout2d(0.1), nn.Conv2d(hidden, channels_out, 1)
    )


def _padded_columns(maps: Tensor) -> Tensor:
    return F.pad(maps, (RADIUS, RADIUS, 0, 0), mode="reflect")


def _tap(padded: Tensor, tap: int, size: tuple[int, int]) -> Tensor:
    """The part of ``(B, C, n + 6, W + 6)`` that a tap of the 7 x 7 window sees, ``(B, C, *size)``."""
    row, column = divmod(tap, DIAMETER)
    return padded[:, :, row : row + size[0], column : column + size[1]]
