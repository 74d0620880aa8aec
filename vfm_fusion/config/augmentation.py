"""Training-time augmentation."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from vfm_fusion.config.base import Section


def _in_order(bounds: tuple[float, float]) -> tuple[float, float]:
    if not 0 < bounds[0] <= bounds[1] < math.inf:
        raise ValueError(f"{list(bounds)} must be positive, finite and in order")
    return bounds


Factor = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Range = Annotated[tuple[float, float], AfterValidator(_in_order)]


class ShortSideScale(Section):
    """The shorter side takes one of a list of lengths."""

    kind: Literal["short_side"] = Field(
        "short_side", description="The shorter side takes one of a list of lengths (Cityscapes, ADE20K)."
    )
    pixels: int = Field(1024, ge=1, description="Length that the factors multiply.")
    factors: tuple[Factor, ...] = Field(
        (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9, 2.0),
        strict=False,
        min_length=1,
        description="The shorter side is int(factor * pixels) for one of these, each as likely as another.",
    )
    max_side: int = Field(
        4096,
        ge=1,
        description="The longer side is at most this; an image that would exceed it is scaled less.",
    )

    @model_validator(mode="after")
    def _lengths(self) -> ShortSideScale:
        shortest = min(self.factors) * self.pixels
        if shortest < 1:
            raise ValueError(
                f"factor {min(self.factors):g} times {self.pixels} pixels is no length; they have to give at "
                "least one"
            )
        longest = max(self.lengths)
        if self.max_side < longest:
            raise ValueError(
                f"max_side {self.max_side} is less than the shorter side of {longest} pixels that factor "
                f"{max(self.factors):g} asks for; raise max_side or drop the factor"
            )
        return self

    @property
    def lengths(self) -> tuple[int, ...]:
        """The lengths that the shorter side may take."""
        return tuple(int(factor * self.pixels) for factor in self.factors)


class RelativeScale(Section):
    """Both sides are multiplied by a random factor."""

    kind: Literal["relative"] = Field(
        "relative", description="Both sides are multiplied by a random factor, whatever the image's size."
    )
    range: Range = Field((0.5, 2.0), strict=False, description="[smallest, largest] factor; drawn evenly.")


class JitterScale(Section):
    """Large-scale jitter: the image is made to fit into the crop times a random factor."""

    kind: Literal["jitter"] = Field(
        "jitter", description="The image is made to fit into the crop times a random factor (COCO)."
    )
    range: Range = Field((0.1, 2.0), strict=False, description="[smallest, largest] factor; drawn evenly.")


ScaleConfig = Annotated[ShortSideScale | RelativeScale | JitterScale, Field(discriminator="kind")]


class AugmentationConfig(Section):
    """Training-time augmentation, in the order scale, crop, flip and colour."""

    crop: tuple[int, int] = Field(
        (512, 1024),
        strict=False,
        description="[height, width] of a training crop; multiples of 32. A smaller image is padded with "
        "grey pixels that are void.",
    )
    scale: ScaleConfig = Field(
        default_factory=ShortSideScale, description="Random size of the image before it is cropped."
    )
    single_category_max_area: float = Field(
        1.0,
        gt=0,
        le=1,
        description="Up to ten windows are drawn until one shows several classes, each on less than this "
        "share of its labelled pixels; else the last is taken. 1: the first is taken.",
    )
    flip: bool = Field(True, description="Random horizontal flip.")
    color: Literal["none", "simple", "ssd"] = Field(
        "ssd",
        description="`ssd`: brightness, contrast, saturation and hue as SSD and Mask2Former change them, "
        "each of half of the images. `simple`: brightness, contrast and saturation of every image, hue of "
        "none. `none`: colours stay.",
    )

    @model_validator(mode="after")
    def _crop_size(self) -> AugmentationConfig:
        if any(side % 32 or side <= 0 for side in self.crop):
            raise ValueError(
                f"crop {list(self.crop)} must be positive multiples of 32 (the head's coarsest stride)"
            )
        return self
