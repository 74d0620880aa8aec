"""What is known of an encoder without building it."""

from __future__ import annotations

from dataclasses import dataclass

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class EncoderSpec:
    """Static facts about an encoder, in the spirit of detectron2's ``ShapeSpec``.

    Attributes:
        architecture: key in the registry.
        channels: native output stride -> channels, strides ascending.
        patch_size: patch side of a plain ViT in pixels, None for hierarchical encoders.
        size_divisor: image sides must be multiples of this.
        mean: mean of RGB in [0, 1] that the encoder subtracts.
        std: standard deviation of RGB in [0, 1] that it divides by.
    """

    architecture: str
    channels: dict[int, int]
    patch_size: int | None
    size_divisor: int
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD

    @property
    def strides(self) -> tuple[int, ...]:
        """Native output strides, ascending."""
        return tuple(sorted(self.channels))
