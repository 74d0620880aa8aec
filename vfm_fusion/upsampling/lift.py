"""LiFT: a small U-Net that doubles a map (Suri et al., ECCV 2024)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vfm_fusion.config.upsampling import TITLES
from vfm_fusion.upsampling.bands import Bands
from vfm_fusion.upsampling.upsampler import BandedUpsampler, Facts, Released

IMAGE_CHANNELS = 32


class LiFT(BandedUpsampler):
    """Twice the map: the map beside the image at its size, doubled, beside the image at the doubled size.

    Its own result is small, so it is made at once. Its authors' fixed pooling of the image to the doubled
    size is an adaptive one here, as in iSegProbe, which is the same for patches of 8 and 16 pixels.
    """

    facts = Facts(
        TITLES["lift"],
        "Suri et al., ECCV 2024",
        native="twice the map",
        per_encoder=True,
        released=Released(
            "https://github.com/saksham-s/lift",
            "MIT",
            names=(
                (r"^up1\.up\.", "doubling."),
                (r"^up1\.conv_1\.double_conv\.", "merge."),
                (r"^outc\.", "widen."),
                (r"^image_convs_1\.", "fine."),
                (r"^image_convs_2\.", "coarse."),
            ),
        ),
    )

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        joint, half = channels + IMAGE_CHANNELS, channels // 2
        self.fine = nn.Sequential(*_halve(3), *_halve(IMAGE_CHANNELS))
        self.coarse = nn.Sequential(*_halve(IMAGE_CHANNELS))
        self.doubling = nn.ConvTranspose2d(joint, joint // 2, kernel_size=2, stride=2)
        self.merge = nn.Sequential(*_smooth(joint // 2 + IMAGE_CHANNELS, half), *_smooth(half, half))
        self.widen = nn.Conv2d(half, channels, kernel_size=1)

    def native_size(self, grid: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
        """See :meth:`BandedUpsampler.native_size`."""
        return 2 * grid[0], 2 * grid[1]

    def prepare(self, features: Tensor, image: Tensor, native: tuple[int, int], bands: Bands) -> Tensor:
        """See :meth:`BandedUpsampler.prepare`: the merged map, ``(B, C / 2, 2 h, 2 w)``."""
        fine = F.adaptive_max_pool2d(self.fine(image.to(features.dtype)), native)
        joint = torch.cat([features, self.coarse(fine)], dim=1)
        return self.merge(torch.cat([self.doubling(joint), fine], dim=1))

    def rows(self, state: Tensor, start: int, stop: int) -> Tensor:
        """See :meth:`BandedUpsampler.rows`."""
        return self.widen(state[:, :, start:stop])

    def pixel_values(self, grid: tuple[int, int]) -> int:
        """See :meth:`BandedUpsampler.pixel_values`."""
        return 2 * self.channels


def _halve(channels: int) -> list[nn.Module]:
    """A convolution to half the size, with its norm."""
    convolution = nn.Conv2d(channels, IMAGE_CHANNELS, kernel_size=3, padding=1, stride=2)
    return [convolution, nn.BatchNorm2d(IMAGE_CHANNELS), nn.ReLU()]


def _smooth(channels_in: int, channels_out: int) -> list[nn.Module]:
    """A convolution at the same size, with its norm."""
    convolution = nn.Conv2d(channels_in, channels_out, kernel_size=3, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(channels_out), nn.ReLU()]
