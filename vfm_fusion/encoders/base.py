"""The encoder interface: native feature maps of known strides and channels from images in [0, 1]."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from vfm_fusion.encoders.spec import EncoderSpec
from vfm_fusion.errors import ShapeError


class Encoder(nn.Module, ABC):
    """Base class: checks and normalises images and returns native maps.

    Attributes:
        spec: static facts (strides, channels, size divisor, normalisation).
    """

    spec: EncoderSpec
    _mean: Tensor
    _std: Tensor

    def __init__(self, spec: EncoderSpec) -> None:
        super().__init__()
        self.spec = spec
        self.register_buffer("_mean", torch.tensor(spec.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("_std", torch.tensor(spec.std).view(1, 3, 1, 1), persistent=False)

    @abstractmethod
    def features(self, normalised: Tensor) -> dict[int, Tensor]:
        """Encodes normalised images ``(B, 3, H, W)`` into ``{stride: (B, C, H/stride, W/stride)}``."""

    def forward(self, images: Tensor) -> dict[int, Tensor]:
        """Encodes images.

        Args:
            images: ``(B, 3, H, W)`` float RGB in [0, 1]; H and W multiples of ``spec.size_divisor``.

        Returns:
            Native maps ``{stride: (B, C, H/stride, W/stride)}``, strides ascending.

        Raises:
            ShapeError: wrong rank, channels, dtype or size.
        """
        divisor = self.spec.size_divisor
        if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point():
            raise ShapeError(
                f"expected float images (B, 3, H, W), found {images.dtype} {tuple(images.shape)}"
            )
        if images.shape[2] % divisor or images.shape[3] % divisor:
            raise ShapeError(
                f"{self.spec.architecture}: image sides must be multiples of {divisor}, found "
                f"{tuple(images.shape[2:])}; resize first (vfm_fusion.encoders.sizes.fit_size)"
            )
        maps = self.features((images - self._mean) / self._std)
        return dict(sorted(maps.items()))
