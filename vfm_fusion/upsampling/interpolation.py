"""Upsamplers without parameters that do not read the image: none, nearest, bilinear, bicubic."""

from __future__ import annotations

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor

from vfm_fusion.config.upsampling import TITLES
from vfm_fusion.upsampling.upsampler import Facts, Upsampler


class Interpolation(Upsampler):
    """One call of torch, which needs no memory beside the result.

    Attributes:
        mode: torch's name of the interpolation.
        align_corners: whether the outer pixels' centres stay where they are; None for a mode without it.
    """

    mode: ClassVar[str]
    align_corners: ClassVar[bool | None] = None

    def upsample(self, features: Tensor, image: Tensor, size: tuple[int, int]) -> Tensor:
        """See :meth:`Upsampler.upsample`."""
        return F.interpolate(features, size=size, mode=self.mode, align_corners=self.align_corners)


def _facts(name: str, native: str = "any") -> Facts:
    return Facts(TITLES[name], "torch", native=native, guided=False, learned=False)


class Nearest(Interpolation):
    """Repeats the nearest cell."""

    facts = _facts("nearest")
    mode = "nearest"


class Bilinear(Interpolation):
    """Bilinear, corners aligned, as iSegProbe's."""

    facts = _facts("bilinear")
    mode, align_corners = "bilinear", True


class Bicubic(Interpolation):
    """Bicubic, half-pixel centres, as iSegProbe's."""

    facts = _facts("bicubic")
    mode, align_corners = "bicubic", False


class NoUpsampling(Upsampler):
    """Leaves the map as it is: a head on top works on the encoder's grid, and its answer is resized."""

    facts = _facts("none", native="the map's own")

    def size(self, grid: tuple[int, int], output_size: tuple[int, int]) -> tuple[int, int]:
        """See :meth:`Upsampler.size`."""
        return grid

    def upsample(self, features: Tensor, image: Tensor, size: tuple[int, int]) -> Tensor:
        """See :meth:`Upsampler.upsample`."""
        return features
