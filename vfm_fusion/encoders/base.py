"""The encoder interface: feature maps of known strides and channels from images in [0, 1]."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vfm_fusion.encoders.sizes import resize_to, seen_size
from vfm_fusion.encoders.spec import EncoderSpec
from vfm_fusion.errors import ShapeError


class Encoder(nn.Module, ABC):
    """Base class: checks images, fits them to what the model sees, normalises them, and returns maps.

    Attributes:
        spec: static facts (strides, channels, size divisor, normalisation).
        resolution: side of the square that the model always sees; None for images at their own size.
    """

    spec: EncoderSpec
    resolution: int | None = None
    _mean: Tensor
    _std: Tensor

    def __init__(self, spec: EncoderSpec) -> None:
        super().__init__()
        self.spec = spec
        self.register_buffer("_mean", torch.tensor(spec.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("_std", torch.tensor(spec.std).view(1, 3, 1, 1), persistent=False)

    @abstractmethod
    def features(self, normalised: Tensor, strides: Collection[int]) -> dict[int, Tensor]:
        """Encodes normalised images ``(B, 3, h, w)`` as the model sees them.

        Args:
            normalised: the images.
            strides: native strides wanted. What lies behind the last of them need not be computed.

        Returns:
            ``{stride: (B, C, h/cell, w/cell)}`` with the cells of :meth:`EncoderSpec.cell`, for at least
            ``strides``.
        """

    def seen_size(self, height: int, width: int) -> tuple[int, int]:
        """Returns the size at which the model sees images of ``height`` x ``width``, without padding."""
        return seen_size(self.spec, self.resolution, height, width)

    def forward(self, images: Tensor, strides: Collection[int] | None = None) -> dict[int, Tensor]:
        """Encodes images.

        Args:
            images: ``(B, 3, H, W)`` float RGB in [0, 1]; H and W multiples of ``spec.size_divisor``.
            strides: native strides wanted, None for all. All but timm's CNNs run no further than the last
                of them.

        Returns:
            Maps ``{stride: (B, C, H/stride, W/stride)}``, strides ascending. At a fixed ``resolution`` they
            are resampled to that grid bilinearly.

        Raises:
            ShapeError: wrong rank, channels, dtype or size, or a stride that the encoder lacks.
        """
        wanted = self.spec.strides if strides is None else tuple(sorted(set(strides)))
        if not wanted or not set(wanted) <= set(self.spec.strides):
            raise ShapeError(
                f"{self.spec.architecture} has maps at strides {list(self.spec.strides)}, "
                f"not at {list(wanted)}"
            )
        maps = self.features(self.normalise(images), wanted)
        return {stride: self._on_grid(maps[stride], stride, images.shape[-2:]) for stride in wanted}

    def normalise(self, images: Tensor) -> Tensor:
        """Brings images to what the model sees: resized, normalised and, where the spec says so, padded.

        Args:
            images: as in :meth:`forward`.

        Returns:
            ``(B, 3, h, w)``, of the size :meth:`seen_size` or, with padding, the square of ``resolution``.

        Raises:
            ShapeError: wrong rank, channels, dtype or size.
        """
        divisor = self.spec.size_divisor
        if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point():
            raise ShapeError(
                f"expected float images (B, 3, H, W), found {images.dtype} {tuple(images.shape)}"
            )
        height, width = images.shape[-2:]
        if height % divisor or width % divisor:
            raise ShapeError(
                f"{self.spec.architecture}: image sides must be multiples of {divisor}, found "
                f"{(height, width)}; resize first (vfm_fusion.encoders.sizes.fit_size)"
            )
        size = self.seen_size(height, width)
        normalised = (resize_to(images, size) - self._mean) / self._std
        if self.resolution is None:
            return normalised
        return F.pad(normalised, (0, self.resolution - size[1], 0, self.resolution - size[0]))

    def _on_grid(self, feature: Tensor, stride: int, image: tuple[int, int]) -> Tensor:
        """Cuts off the padding's cells and brings the rest to the image's grid at ``stride``."""
        size, cell = self.seen_size(*image), self.spec.cell(stride)
        valid = feature[..., : size[0] // cell, : size[1] // cell]
        return resize_to(valid, (image[0] // stride, image[1] // stride))
