"""What is known of an encoder without building it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True)
class EncoderSpec:
    """Static facts about an encoder, in the spirit of detectron2's ``ShapeSpec``.

    Attributes:
        architecture: key in the registry.
        family: which module of ``vfm_fusion.encoders`` builds it.
        channels: native output stride -> channels, strides ascending.
        size_divisor: image sides must be multiples of this.
        patch_size: patch side of a plain ViT in pixels, None for hierarchical encoders.
        mean: mean of RGB in [0, 1] that the encoder subtracts.
        std: standard deviation of RGB in [0, 1] that it divides by.
        timm_name: timm model to create, where the family is timm's.
        options: keyword arguments of the model's constructor.
        unused: prefixes of checkpoint keys that the encoder does not use (classification heads).
    """

    architecture: str
    family: str
    channels: dict[int, int]
    size_divisor: int
    patch_size: int | None = None
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    timm_name: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    unused: tuple[str, ...] = ()

    @property
    def strides(self) -> tuple[int, ...]:
        """Native output strides, ascending."""
        return tuple(sorted(self.channels))
