"""Maps of images at one stride: upsampled, or an encoder's own, derived as the main system derives them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from vfm_fusion.config.image_size import ImageSize
from vfm_fusion.config.metrics import ProfileConfig
from vfm_fusion.datasets.fitting import Size
from vfm_fusion.encoders.pyramid import derive_pyramid
from vfm_fusion.encoders.sizes import resize_to
from vfm_fusion.errors import ConfigError
from vfm_fusion.interactive.featurizer import Featurizer
from vfm_fusion.interactive.seen_maps import (
    Seen,
    device_of,
    given_size,
    is_too_small,
    leaves_map,
    see,
    upsample,
)
from vfm_fusion.metrics.feature_map import FeatureMap
from vfm_fusion.profiles.stored_maps import map_pyramid
from vfm_fusion.timing import seconds_of
from vfm_fusion.upsampling.memory import predict
from vfm_fusion.upsampling.upsampler import Upsampler

MAP_TOO_SMALL = "map_too_small"
"""Why an image has no map: its own has fewer rows or columns than the upsampler can read."""


class StrideMap(NamedTuple):
    """A map of an image.

    Attributes:
        values: ``(C, h, w)`` float32 on the CPU.
        scored: the same for the scores; what pixels repeat is written out once in it.
        seconds: that the upsampler took.
    """

    values: Tensor
    scored: FeatureMap
    seconds: float


class StrideMaps:
    """Makes the maps of images at one stride.

    Args:
        featurizer: the encoder.
        upsampler: what its maps are upsampled with; the maps of one that leaves them as they are, are derived
            as :func:`~vfm_fusion.encoders.pyramid.derive_pyramid` does it.
        profile: ``strides``, the one, and ``interpolation`` are read.
        setting: the size at which images are profiled.
        name: of the encoder, for messages.

    Attributes:
        channels: C.
        setting: see above.
    """

    def __init__(
        self,
        featurizer: Featurizer,
        upsampler: Upsampler,
        profile: ProfileConfig,
        setting: ImageSize | None,
        name: str,
    ) -> None:
        self._featurizer, self._upsampler, self._profile, self._name = featurizer, upsampler, profile, name
        (self._stride,) = profile.strides
        self.channels, self.setting = featurizer.width, setting
        self._largest: Size | None = None
        self._is_warm = False

    def grid(self, size: Size) -> Size:
        """Returns (h, w) of the map of an image of a size."""
        height, width = given_size(size, self.setting, self._featurizer)
        return height // self._stride, width // self._stride

    def __call__(self, pixels: np.ndarray) -> StrideMap | None:
        """Makes the map of an image ``(H0, W0, 3)`` uint8; None where it is too small for the upsampler.

        Raises:
            ConfigError: the encoder's own map is finer than the stride.
        """
        seen, size = see(self._featurizer, pixels, self.setting), self.grid(pixels.shape[:2])
        if any(wanted < own for wanted, own in zip(size, seen.grid, strict=True)):
            raise ConfigError(
                f"interactive.quality.stride: {self._stride} gives maps of {size[0]} x {size[1]}, but "
                f"{self._name!r} has {seen.grid[0]} x {seen.grid[1]} by itself; choose a finer stride"
            )
        if is_too_small(self._upsampler, seen):
            return None
        given = (seen.image.shape[-2], seen.image.shape[-1])
        self._largest = max(given, self._largest or given, key=lambda sides: sides[0] * sides[1])
        seconds, upsampled = self._timed(seen, size)
        if leaves_map(self._upsampler, seen, size):
            return self._derived(seen, seconds)
        values = upsampled.cpu()
        return StrideMap(values, FeatureMap(values), seconds)

    def of_largest(self) -> dict[str, Any]:
        """Tells of the largest map so far: ``size`` (h, w), ``peak_bytes`` that upsampling to it needs, its
        result included, as predicted, and ``notes``, what is done otherwise than published; plain data.
        """
        if self._largest is None:
            return {"size": None, "peak_bytes": None, "notes": []}
        own = self._featurizer.grid(self._largest)
        height, width = (side // self._stride for side in self._largest)
        needed = predict(self._upsampler, (1, self.channels, *own), self._largest, (height, width))
        return {
            "size": [height, width],
            "peak_bytes": needed.result + needed.beyond,
            "notes": self._upsampler.notes(own, (height, width)),
        }

    def _timed(self, seen: Seen, size: Size) -> tuple[float, Tensor]:
        made: list[Tensor] = []
        device = device_of(self._featurizer)
        if not self._is_warm:
            upsample(self._upsampler, seen, size)
            self._is_warm = True
        seconds = seconds_of(lambda: made.append(upsample(self._upsampler, seen, size)), device)
        return seconds, made[0]

    def _derived(self, seen: Seen, seconds: float) -> StrideMap:
        """The encoder's own map; a ViT's at a resolution of its own is first brought to the image's grid."""
        own = self._featurizer.stride
        on_grid = resize_to(seen.features, tuple(side // own for side in seen.image.shape[-2:])).cpu()
        (values,) = derive_pyramid(
            {own: on_grid}, self._profile.strides, self._profile.interpolation
        ).values()
        (scored,) = map_pyramid({own: on_grid[0]}, self._profile).values()
        return StrideMap(values[0], scored, seconds)
